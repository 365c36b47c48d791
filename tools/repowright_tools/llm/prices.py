"""What tokens cost, from a price list that is part of the installation. Unknown stays unknown, never 0."""

from repowright_tools.llm.provider import Usage


def price_usd(price_list: str, model: str, usage: Usage) -> float | None:
    """US dollars for one call, or None when the price is not known. The first use loads the list (some 0.1 s)."""
    import genai_prices

    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        return float(genai_prices.calc_price(tokens, model_ref=model, provider_id=price_list).total_price)
    except LookupError:
        return None

"""What tokens cost: the operator's own prices first, then a list that is part of the installation.

Unknown stays unknown, never 0.
"""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from repowright_tools.errors import PricesInvalid
from repowright_tools.llm.provider import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

_LARGEST_FILE = 1_000_000
_Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(BaseModel):
    """US dollars per million tokens.

    Attributes:
        input: what the model reads.
        output: what it writes, thinking included.
        cache_read: input that comes from the provider's cache; None means that it costs what other input costs.
        cache_write: input that goes into it; None likewise.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    input: _Dollars
    output: _Dollars
    cache_read: _Dollars | None = None
    cache_write: _Dollars | None = None

    def usd(self, usage: Usage) -> float:
        """US dollars for one call."""
        read, write = usage.cached_input_tokens, usage.cache_write_tokens
        cost = (usage.input_tokens - read - write) * self.input + usage.output_tokens * self.output
        cost += read * (self.input if self.cache_read is None else self.cache_read)
        cost += write * (self.input if self.cache_write is None else self.cache_write)
        return cost / 1_000_000


_PRICES = TypeAdapter(dict[str, Price])


class Prices:
    """Prices of all models. The first use loads the list (some 0.1 s): call it in a thread.

    Args:
        override: a JSON file such as `{"claude-opus-5-5": {"input": 4, "output": 20, "cache_read": 0.2}}`, read at
            first use and again when it changes. A name may be `price list/model`, to mean the model of one provider.
            The file need not exist. None: there is none.
    """

    def __init__(self, override: Path | None) -> None:
        self._override = override
        self._seen: tuple[int, ...] | None = None
        self._own: dict[str, Price] = {}

    def usd(self, price_list: str | None, model: str, usage: Usage) -> float | None:
        """US dollars for one call; None when the price is not known.

        Args:
            price_list: the provider's id in the list; None when it is in none, so that only the file can tell.
            model: as the provider calls it.
            usage: what is billed.

        Raises:
            PricesInvalid: the file cannot be read or understood.
        """
        own = self._own_price(price_list, model)
        if not _is_sound(usage):
            return None
        if own is not None:
            return own.usd(usage)
        return None if price_list is None else _listed_usd(price_list, model, usage)

    def worst(self, price_list: str | None, model: str, usage: Usage) -> float | None:
        """US dollars for one call of this size at most, whatever part of its input is cached; None when not known.

        Which costs most is the list's or the operator's to say: not everybody charges extra for a write, and some of
        the list's prices of writes (of models at OpenRouter) are below those of plain input.

        Raises:
            PricesInvalid: see `usd`.
        """
        whole = usage.input_tokens
        ways = [Usage(whole, usage.output_tokens, read, written) for read, written in ((0, 0), (whole, 0), (0, whole))]
        prices = [self.usd(price_list, model, way) for way in ways]
        known = [price for price in prices if price is not None]
        return max(known) if len(known) == len(prices) else None

    def context_window(self, price_list: str | None, model: str) -> int | None:
        """Tokens that the model can work on at once; None when that is not known."""
        listed = None if price_list is None else _listed(price_list, model)
        return None if listed is None else listed.context_window

    def _own_price(self, price_list: str | None, model: str) -> Price | None:
        own = self._read()
        return own.get(f"{price_list}/{model}") or own.get(model)

    def _read(self) -> dict[str, Price]:
        if self._override is None:
            return {}
        try:
            found = self._override.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
            if seen != self._seen:
                self._own, self._seen = _PRICES.validate_json(_content(self._override, found)), seen
        except FileNotFoundError:
            return {}
        except ValidationError as error:
            raise PricesInvalid(f"{self._override.name}: {_first(error)}") from error
        except OSError as error:
            raise PricesInvalid(f"{self._override.name} cannot be read: {error.strerror}") from error
        return self._own


def _content(path: Path, found: os.stat_result) -> bytes:
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_FILE:
        raise PricesInvalid(f"{path.name} is not a file of at most {_LARGEST_FILE:,} bytes")
    return path.read_bytes()


def _first(error: ValidationError) -> str:
    """What is wrong first, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{' '.join([repr(part) for part in first['loc']] or ['the file'])}: {first['msg']}"


def _is_sound(usage: Usage) -> bool:
    """Whether the figures fit together; an endpoint can claim anything, and nothing claimed may lower a cost."""
    read, write = usage.cached_input_tokens, usage.cache_write_tokens
    return min(read, write, usage.output_tokens) >= 0 and read + write <= usage.input_tokens


def _listed_usd(price_list: str, model: str, usage: Usage) -> float | None:
    import genai_prices

    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        price = genai_prices.calc_price(tokens, model_ref=model, provider_id=price_list)
    except LookupError:
        return None
    # The list leaves out what it does not know and has 0 for free, subscribed and not known alike (205 of its 2,330
    # models in 0.2.3): it sums both up as 0. Only the operator can say that a model is free.
    return float(price.total_price) if price.model_price.input_mtok and price.model_price.output_mtok else None


def _listed(price_list: str, model: str) -> "ModelInfo | None":
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, price_list, None)[1]
    except LookupError:
        return None

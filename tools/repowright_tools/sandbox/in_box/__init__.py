"""Programs of ours that run inside containers: standard library only, sent in as text, never imported here."""

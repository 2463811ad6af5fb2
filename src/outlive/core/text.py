"""Text that every backend can store."""


def storable(text: str) -> str:
    """Replace what databases and JSON refuse in text: NUL and lone surrogates."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")

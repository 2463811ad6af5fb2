"""What may stand between a value and its stored text."""

from typing import Protocol

from outlive.errors import EncryptionError


class Cipher(Protocol):
    """Makes stored text unreadable for whoever has not the key."""

    def seal(self, text: str) -> str:
        """The text as it is stored."""
        ...

    def open(self, stored: str) -> str:
        """The text behind what is stored, sealed or not; `EncryptionError` where no key fits."""
        ...


#: How every sealed text begins; JSON never does.
SEALED = "fernet:"


def is_sealed(stored: str | None) -> bool:
    """Whether the stored text is unreadable without a key."""
    return stored is not None and stored.startswith(SEALED)


class NoCipher:
    """Stores text as it is."""

    def seal(self, text: str) -> str:
        """The text itself."""
        return text

    def open(self, stored: str) -> str:
        """The text itself, unless it was sealed."""
        if is_sealed(stored):
            raise EncryptionError("it is encrypted; give the manager the key with encrypt_args_key")
        return stored

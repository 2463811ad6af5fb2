"""Encrypts what is stored of arguments and results, with Fernet of the library `cryptography`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from outlive.core.cipher import SEALED, Cipher, NoCipher, is_sealed
from outlive.errors import ConfigError, EncryptionError, MissingExtraError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

#: One Fernet key, or several of which the first encrypts and all decrypt.
EncryptionKeys = bytes | str | Sequence[bytes | str]


class FernetCipher:
    """Encrypts with the first of its keys and decrypts with any of them.

    What was stored before there was a key is readable as it is.
    """

    def __init__(self, keys: EncryptionKeys) -> None:
        try:
            from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError(
                'encrypt_args_key needs the library cryptography; install it with pip install "outlive[encryption]"'
            ) from error
        given = [keys] if isinstance(keys, (bytes, str)) else list(keys)
        if not given:
            raise ConfigError("encrypt_args_key is an empty list; give a key, or leave it out to store in plain text")
        fernets = [_fernet(Fernet, key, at, len(given)) for at, key in enumerate(given, 1)]
        self._invalid: type[Exception] = InvalidToken
        self._newest = fernets[0]
        #: What encrypts; as taskflow's manager has it.
        self.fernet = fernets[0] if len(fernets) == 1 else MultiFernet(fernets)

    def seal(self, text: str) -> str:
        """Encrypt with the first key."""
        return SEALED + self.fernet.encrypt(text.encode()).decode()

    def open(self, stored: str) -> str:
        """Decrypt with whichever key fits."""
        if not is_sealed(stored):
            return stored
        try:
            return self.fernet.decrypt(stored.removeprefix(SEALED)).decode()
        except self._invalid as error:
            raise EncryptionError(
                "none of the keys in encrypt_args_key decrypts it; add the key that it was stored with to the end of "
                "the list"
            ) from error

    def renew(self, stored: str) -> str:
        """What is stored, under the first key; as it is where it is so already."""
        if is_sealed(stored):
            try:
                self._newest.decrypt(stored.removeprefix(SEALED))
            except self._invalid:
                pass
            else:
                return stored
        return self.seal(self.open(stored))


def cipher_for(keys: EncryptionKeys | None) -> Cipher:
    """The cipher for the keys of a manager, if there are any."""
    return NoCipher() if keys is None else FernetCipher(keys)


def _fernet(kind: "type[Fernet]", key: bytes | str, at: int, count: int) -> "Fernet":
    try:
        return kind(key)
    except (ValueError, TypeError) as error:  # the key itself is a secret and stays out of the message
        which = "" if count == 1 else f" (number {at} of {count})"
        raise ConfigError(
            f"encrypt_args_key{which} is no Fernet key, which is 32 bytes in URL-safe base64; make one with "
            f"cryptography.fernet.Fernet.generate_key()"
        ) from error

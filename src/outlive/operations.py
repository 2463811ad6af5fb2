"""What a manager does around its tasks: the keys of what is stored."""

from typing import TYPE_CHECKING

from outlive.core.config import config_of
from outlive.definitions.encryption import FernetCipher, cipher_for
from outlive.errors import ConfigError
from outlive.runtime.options import ManagerOptions, split_options
from outlive.runtime.rotation import Rotation, rotate
from outlive.schedules import Schedules

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet


class Operations(Schedules):
    """Encrypts what is stored."""

    def __init__(self, options: ManagerOptions) -> None:
        self._surroundings, defaults = split_options(options)
        super().__init__(config_of(defaults), cipher=cipher_for(self._surroundings.encrypt_args_key))

    @property
    def fernet(self) -> "Fernet | MultiFernet | None":
        """What encrypts the arguments and results of tasks, None without `encrypt_args_key`."""
        cipher = self.registry.cipher
        return cipher.fernet if isinstance(cipher, FernetCipher) else None

    async def rotate_keys(self) -> Rotation:
        """Write all stored arguments and results under the first of the keys, also what was stored in plain text.

        Once it leaves nothing `unreadable`, the other keys can go. Instances may run meanwhile, and it may be repeated.
        Raises `ConfigError` without `encrypt_args_key`.
        """
        cipher = self.registry.cipher
        if not isinstance(cipher, FernetCipher):
            raise ConfigError("rotate_keys() needs the new key; give the manager encrypt_args_key=[new, old]")
        return await rotate(self.runtime.backend, self.runtime.journal, cipher)

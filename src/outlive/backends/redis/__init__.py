"""Records in Redis or Valkey, for the instances of many hosts: one Lua script per verb."""

from importlib import import_module

from outlive.errors import MissingExtraError

try:
    import_module("redis.asyncio")
    import_module("ormsgpack")
except ImportError as error:
    raise MissingExtraError(
        f"Redis needs {error.name}; install what it needs with `pip install 'outlive[redis]'`"
    ) from error

from outlive.backends.redis.backend import RedisBackend

__all__ = ["RedisBackend"]

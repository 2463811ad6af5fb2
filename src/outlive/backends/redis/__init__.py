"""Records in Redis or Valkey, for the instances of many hosts: one Lua script per verb."""

from outlive.backends.redis.backend import RedisBackend

__all__ = ["RedisBackend"]

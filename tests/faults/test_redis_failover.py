"""A primary dies and Sentinel makes another; and connections that are encrypted."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.asyncio import Redis
from redis.exceptions import RedisError
from support.proxy import Proxy
from support.valkey import own_server, sentinel_for, server_url, unused_port
from support.waiting import ended, until

from outlive import BackendUnavailableError, TaskManager, TaskStatus
from outlive.backends.redis import RedisBackend


async def replicated(client):
    told = await client.info("replication")
    replicas = [value for name, value in told.items() if name.startswith("slave") and isinstance(value, dict)]
    return any(one["state"] == "online" and one["lag"] <= 1 for one in replicas)


async def try_again(manager, task):
    try:
        return await manager.enqueue(task)
    except BackendUnavailableError:
        return None


async def test_the_tasks_go_on_with_the_next_primary(tmp_path):
    primary, replica = unused_port(), unused_port()
    with own_server(port=primary) as first, own_server(port=replica, replicaof=f"127.0.0.1 {primary}"):
        async with Redis.from_url(first.connection_url) as client:
            await until(lambda: replicated(client))
        with sentinel_for("orders", primary, tmp_path) as port:
            async with Redis.from_url(f"redis://127.0.0.1:{port}") as sentinel:
                await until(lambda: _knows_replica(sentinel))
            manager = TaskManager(f"redis+sentinel://127.0.0.1:{port}/orders", poll_interval=0.2)

            @manager.task(name="work")
            async def work() -> None:
                pass

            async with manager:
                before = await manager.enqueue(work)
                assert (await ended(manager, before.id)).status is TaskStatus.SUCCESS
                async with Redis.from_url(first.connection_url) as client:
                    await client.wait(1, 5000)
                first.terminate()

                after = await until(lambda: try_again(manager, work), 30)
                assert (await ended(manager, after.id)).status is TaskStatus.SUCCESS
                assert (await ended(manager, before.id)).status is TaskStatus.SUCCESS
        first.start()


async def _knows_replica(sentinel):
    try:
        return bool(await sentinel.execute_command("SENTINEL", "REPLICAS", "orders"))
    except RedisError:
        return False  # it is not up yet


@pytest.fixture
def certificate(tmp_path):
    """A certificate for the loopback that signs itself, in a file with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "both.pem"
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


async def test_encrypted_connections(certificate):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with Proxy(server_url(), tls) as proxy:
        trusting = RedisBackend(proxy.url, uuid4().hex, ssl_ca_certs=str(certificate))
        await trusting.open()
        assert await trusting.counts() == {}
        await trusting.close()

        with pytest.raises(BackendUnavailableError, match="certificate"):
            await RedisBackend(proxy.url, uuid4().hex).open()

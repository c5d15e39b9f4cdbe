"""Settings of the HTTP edge, the same for every service."""

import ipaddress
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from libs.common.connection_limits import ConnectionLimits
from libs.common.rate_limits import Rates


def _networks(value: object) -> object:
    texts = [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value
    if isinstance(texts, list | tuple):
        for each in texts:
            ipaddress.ip_network(each)
    return texts


class EdgeSettings(BaseSettings):
    """Limits on connections, and who may say where a request comes from."""

    http_docs: bool = Field(
        default=False, description="serve /openapi.json, and /docs to read and try it; docs/api has the same documents"
    )
    metrics_host: str = Field(default="127.0.0.1", description="address that /metrics is served on")
    metrics_port: int = Field(default=8109, ge=1, le=65535, description="port of /metrics, which nobody else may reach")
    http_connections: int = Field(default=1000, ge=10, le=50_000, description="most connections open at one time")
    http_connections_per_address: int = Field(
        default=100, ge=1, le=50_000, description="of them from one IPv4 address or one IPv6 network of 64 bits"
    )
    http_head_seconds: float = Field(default=10, gt=0, le=120, description="longest time until a header has ended")
    http_idle_seconds: float = Field(default=30, gt=0, le=600, description="longest pause between two requests")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_networks)] = Field(
        default=(),
        description="addresses or networks of reverse proxies, comma-separated: what they say in X-Forwarded-For and "
        "X-Forwarded-Proto is believed; of others it is not",
    )

    rate_per_address: int = Field(
        default=1_200,
        ge=0,
        description="requests a minute of one address without a valid key (POST counts as 5); 0: any",
    )
    rate_per_key: int = Field(default=6_000, ge=0, description="requests a minute with one API key; 0: any number")
    rate_per_issuer: int = Field(default=12_000, ge=0, description="with all keys of one issuer; 0: any number")
    rate_replicas: int = Field(
        default=1, ge=1, le=1000, description="replicas of the service that share the traffic: each allows its part"
    )

    @property
    def rates(self) -> Rates:
        """How many requests are answered."""
        return Rates(self.rate_per_address, self.rate_per_key, self.rate_per_issuer, self.rate_replicas)

    @property
    def connection_limits(self) -> ConnectionLimits:
        """What connections may take."""
        return ConnectionLimits(
            head_seconds=self.http_head_seconds,
            idle_seconds=self.http_idle_seconds,
            connections=self.http_connections,
            per_address=self.http_connections_per_address,
            proxies=self.trusted_proxies,
        )

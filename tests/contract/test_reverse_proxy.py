"""The configuration of nginx that is shipped: nginx takes it, and the services stand behind it as it promises."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import Request

from libs.common.body_limits import streamed_body
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.http_server import ConnectionLimits
from tests.served import served

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIGURATION = Path(__file__).parents[2] / "deploy/nginx/bowerbird.conf"
MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(NGINX is None, reason="NOT PROVEN HERE: there is no nginx, so no proxy was run")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = create_app("test", Health())

    @app.get("/badges/1")
    async def seen(request: Request) -> dict[str, str]:
        return {"client": request.client.host if request.client else "", "scheme": request.url.scheme}

    @app.post("/v1/batches", dependencies=[streamed_body()])
    async def upload(request: Request) -> int:
        return sum([len(each) async for each in request.stream()])

    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    with served(app, ConnectionLimits(proxies=("127.0.0.1",))) as behind:
        text = CONFIGURATION.read_text(encoding="utf-8").replace("listen 8100;", f"listen 127.0.0.1:{port};")
        text = re.sub(r"server \w+:81\d\d;", f"server {behind.removeprefix('http://')};", text)
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        main = f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}} "
        (folder / "nginx.conf").write_text(f"{main}http {{ access_log off; {temporary} {text} }}", encoding="utf-8")
        command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
            try:
                for _ in range(100):
                    with socket.socket() as tried:
                        if tried.connect_ex(("127.0.0.1", port)) == 0:
                            break
                    time.sleep(0.05)
                yield f"http://127.0.0.1:{port}"
            finally:
                running.terminate()


def test_the_service_sees_the_client_and_not_what_it_says_of_itself(proxy: str) -> None:
    claims = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "Forwarded": "for=192.0.2.7"}
    answer = httpx.get(f"{proxy}/badges/1", headers=claims, trust_env=False)
    assert answer.json() == {"client": "127.0.0.1", "scheme": "http"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers


def test_a_large_upload_streams_through_and_one_that_is_cut_off_harms_nobody(proxy: str) -> None:
    with httpx.Client(trust_env=False, timeout=60) as client:
        assert client.post(f"{proxy}/v1/batches", content=(b"x" * MIB for _ in range(50))).json() == 50 * MIB
    place = httpx.URL(proxy)
    with socket.create_connection((place.host, place.port or 0)) as cut:
        cut.sendall(b"POST /v1/batches HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\nabc")
    assert httpx.get(f"{proxy}/badges/1", trust_env=False).status_code == 200


def test_limits_of_the_proxy_hold_before_a_service_sees_anything(proxy: str) -> None:
    assert httpx.get(f"{proxy}/badges/1", headers={"a": "x" * 40_000}, trust_env=False).status_code == 400
    assert httpx.post(f"{proxy}/v1/verify", content=b"x" * 6 * MIB, trust_env=False).status_code == 413
    for path in ("/health/ready", "/metrics", "/openapi.json/"):
        assert httpx.get(f"{proxy}{path}", trust_env=False).status_code == 404
    with httpx.Client(trust_env=False) as client:
        assert 429 in {client.get(f"{proxy}/badges/1").status_code for _ in range(400)}

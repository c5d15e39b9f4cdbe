"""The configuration of nginx that is shipped: nginx takes it, and the services stand behind it as it promises."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from libs.common.body_limits import MOST_BYTES, streamed_body
from libs.common.connection_limits import ConnectionLimits
from libs.common.edge_settings import EdgeSettings
from libs.common.errors import ERRORS, TooManyRequestsError
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.http_server import Server
from libs.common.problems import Problem, problem_document
from libs.common.response_headers import security_headers
from services.verifier.verification.submission import MOST_PICTURE_BYTES
from tests.served import served
from tests.waiting import eventually

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "deploy/nginx/bowerbird.conf"
DOCUMENTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "docs/api").glob("*.json")}
MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(NGINX is None, reason="NOT PROVEN HERE: there is no nginx, so no proxy was run")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def upstream(service: str) -> FastAPI:
    """An application that has the documented paths of a service, and says at each which service it is."""
    app = create_app(service, Health())

    @app.get("/badges/1")
    async def seen(request: Request) -> dict[str, str]:
        return {"client": request.client.host if request.client else "", "scheme": request.url.scheme}

    @app.post("/v1/batches", dependencies=[streamed_body()])
    async def upload(request: Request) -> int:
        return sum([len(each) async for each in request.stream()])

    async def reached() -> dict[str, str]:
        return {"service": service}

    for path, methods in DOCUMENTS[service]["paths"].items():
        app.add_api_route(path, reached, methods=[method.upper() for method in methods])

    return app


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, str]]:
    """Where each service stands."""
    with ExitStack() as running:
        limits = ConnectionLimits(proxies=("127.0.0.1",))
        yield {
            service: running.enter_context(served(upstream(service), limits)).removeprefix("http://")
            for service in DOCUMENTS
        }


@contextmanager
def running_proxy(folder: Path, configuration: str, places: dict[str, str]) -> Iterator[str]:
    port = free_port()
    text = configuration.replace("listen 8100;", f"listen 127.0.0.1:{port};")
    text = re.sub(r"server (\w+):81\d\d\b", lambda found: f"server {places[found[1]]}", text)
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


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, places: dict[str, str]) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nginx")
    with running_proxy(folder, CONFIGURATION.read_text(encoding="utf-8"), places) as found:
        yield found


@pytest.mark.parametrize("service", DOCUMENTS)
@pytest.mark.parametrize("value", ["x1", "audit", "evidence", "%C3%A9"])
def test_each_documented_call_reaches_the_service_that_documents_it(proxy: str, service: str, value: str) -> None:
    with httpx.Client(trust_env=False) as client:
        for path, methods in DOCUMENTS[service]["paths"].items():
            if path.startswith("/health/") or path == "/v1/batches":
                continue  # the first is for nobody outside; of the second is told below
            url = proxy + re.sub(r"\{\w+\}", value, path)
            for method in methods:
                answer = client.request(method.upper(), url)
                assert (method, path, answer.json().get("service")) == (method, path, service)


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


def has_security_headers(answer: httpx.Response) -> bool:
    return all(answer.headers.get_list(name) == [value] for name, value in security_headers("http").items()) and (
        "strict-transport-security" not in answer.headers
    )


def is_problem(answer: httpx.Response, status: int, path: str) -> bool:
    """Whether the proxy says it as a service does."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert has_security_headers(answer)
    problem = Problem.model_validate_json(answer.content)
    kinds = {each.status: (each.code, each.title) for each in ERRORS}
    code, title = kinds.get(status, ("http", problem.title))
    said = (problem.type, problem.title, problem.status, problem.instance)
    return (answer.status_code, *said) == (status, f"urn:bowerbird:problem:{code}", title, status, path)


def test_limits_of_the_proxy_hold_before_a_service_sees_anything_and_are_told_as_a_service_does(proxy: str) -> None:
    with httpx.Client(trust_env=False, base_url=proxy) as client:
        assert is_problem(client.get("/badges/1", headers={"a": "x" * 40_000}), 431, "/badges/1")
        assert is_problem(client.post("/v1/verify", content=b"x" * 6 * MIB), 413, "/v1/verify")
        assert is_problem(client.get("/badges/" + "x" * 9_000), 414, "/")
        assert is_problem(client.request("TRACE", "/badges/1"), 405, "/badges/1")
        for path in ("/health/ready", "/health/%22%5C"):
            assert is_problem(client.get(path), 404, path)
        for path in ("/metrics", "/openapi.json/"):
            assert client.get(path).status_code == 404
    place = httpx.URL(proxy)
    with socket.create_connection((place.host, place.port or 0)) as askew:
        askew.sendall(b"GET /badges/1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        answer = b""
        while piece := askew.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert Problem.model_validate_json(answer.partition(b"\r\n\r\n")[2]).type == "urn:bowerbird:problem:invalid-request"


def test_each_answer_has_the_headers_of_security_once_whoever_gives_it(proxy: str) -> None:
    with httpx.Client(trust_env=False, base_url=proxy) as client:
        for path in ("/proxy-health", "/health/live", "/.problems/not_found", "/badges/1", "/nothing"):
            assert has_security_headers(client.get(path)), path


def test_over_https_the_proxy_promises_https_as_a_service_does() -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    promised = security_headers("https")["Strict-Transport-Security"]
    assert f'map $scheme $bowerbird_https_only {{\n    https "{promised}";\n}}' in text
    assert text.count("add_header Strict-Transport-Security $bowerbird_https_only always;") == text.count(
        "add_header X-Content-Type-Options nosniff always;"
    )


def test_what_may_be_kept_of_a_badge_is_for_its_service_to_say(proxy: str) -> None:
    # That of the service, and none of the proxy's beside it.
    assert httpx.get(f"{proxy}/badges/1", trust_env=False).headers.get_list("cache-control") == ["no-store"]


def test_a_service_that_is_away_is_told_as_a_service_tells_of_a_store(tmp_path: Path, places: dict[str, str]) -> None:
    away = {name: f"127.0.0.1:{free_port()}" for name in places}
    with running_proxy(tmp_path, CONFIGURATION.read_text(encoding="utf-8"), away) as proxy:
        answer = httpx.get(f"{proxy}/badges/1", trust_env=False)
    assert is_problem(answer, 503, "/badges/1")
    assert answer.headers["retry-after"] == "5"


def test_limits_of_the_proxy_and_of_the_services_match(proxy: str) -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    settings = EdgeSettings()
    assert f"rate={settings.rate_per_issuer}r/m;" in text
    assert f"burst={settings.rate_per_issuer // 2} nodelay;" in text
    assert f"limit_conn bowerbird_connections {settings.http_connections_per_address};" in text
    assert f"client_header_timeout {settings.http_head_seconds:.0f}s;" in text
    assert f"keepalive_timeout {settings.http_idle_seconds:.0f}s;" in text
    count, size = map(int, re.findall(r"large_client_header_buffers (\d+) (\d+)k;", text)[0])
    assert count * size * 1024 == ConnectionLimits().head_bytes
    assert MOST_BYTES <= MIB
    assert MOST_PICTURE_BYTES <= 5 * MIB


def test_one_address_that_asks_too_often_is_told_as_a_service_tells_it(tmp_path: Path, places: dict[str, str]) -> None:
    text, changed = re.subn(r"rate=\w+/\w;", "rate=1r/s;", CONFIGURATION.read_text(encoding="utf-8"))
    text, again = re.subn(r"burst=\d+", "burst=3", text)
    assert (changed, again) == (1, 1)
    with running_proxy(tmp_path, text, places) as proxy, httpx.Client(trust_env=False) as client:
        answers = [client.get(f"{proxy}/badges/1") for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].headers["content-type"] == "application/problem+json"
    of_a_service = problem_document(TooManyRequestsError("", 1), "")
    for field in ("type", "title", "status"):
        assert refused[0].json()[field] == of_a_service[field]


def test_addresses_of_one_ipv6_network_share_a_limit_and_those_of_others_do_not(
    tmp_path: Path, places: dict[str, str]
) -> None:
    text = re.sub(r"burst=\d+", "burst=1", CONFIGURATION.read_text(encoding="utf-8")).replace("=12000r/m;", "=1r/m;")
    text += "set_real_ip_from 127.0.0.1; real_ip_header X-From;"
    # With bytes that mean the end of a line, or of a text.
    one, other = "2001:db8:a00:a0a:", "2001:db8:a00:b0a:"
    with running_proxy(tmp_path, text, places) as proxy, httpx.Client(trust_env=False) as client:

        def asked(address: str) -> int:
            return client.get(f"{proxy}/badges/1", headers={"X-From": address}).status_code

        assert [asked(f"{one}{end}") for end in (":1", "1:2:3:4", ":a0a", "ffff::")] == [200, 200, 429, 429]
        assert asked(f"{other}:1") == 200
        assert [asked(address) for address in ("192.0.2.10", "192.0.2.11", "10.10.10.10")] == [200] * 3


class Replica:
    """One replica of a service at a port of its own, that starts and is stopped as a service is."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.port = free_port()
        self.start()

    def start(self) -> None:
        async def serves(scope: Scope, receive: Receive, send: Send) -> None:
            app = self._app if self._looks > 5 else PlainTextResponse("not ready", 503)
            await app(scope, receive, send)

        self._server = Server(serves, ConnectionLimits(proxies=("127.0.0.1",)))
        self._looks = 0
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(listening),), daemon=True)
        self._stop = threading.Event()
        self._thread.start()

    async def _ready(self) -> bool:
        """It is when it was asked five times."""
        self._looks += 1
        return self._looks > 5

    async def _serve(self, listening: socket.socket) -> None:
        serving = asyncio.create_task(self._server.serve_once_ready(listening, self._ready, 30))
        await asyncio.to_thread(self._stop.wait)
        await self._server.drain(0, 25)
        self._server.should_exit = True
        await serving

    def is_ready(self) -> bool:
        return self._server.started

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_no_caller_meets_an_error_while_two_replicas_are_restarted_one_after_the_other(
    tmp_path: Path, places: dict[str, str]
) -> None:
    replicas = [Replica(upstream("verifier")) for _ in range(2)]
    eventually(lambda: all(each.is_ready() for each in replicas), 30)
    both = " max_fails=0; server ".join(f"127.0.0.1:{each.port}" for each in replicas)
    text = re.sub(r"rate=\w+/\w;", "rate=100000r/s;", CONFIGURATION.read_text(encoding="utf-8"))
    text = text.replace("keepalive_timeout 20s;", "keepalive_timeout 500ms;")
    met: Counter[str] = Counter()
    over = threading.Event()

    def call(proxy: str, method: str, path: str) -> None:
        with httpx.Client(trust_env=False, base_url=proxy) as client:
            while not over.is_set():
                try:
                    met[f"{method} {client.request(method, path).status_code}"] += 1
                except httpx.HTTPError as error:
                    met[type(error).__name__] += 1

    with running_proxy(tmp_path, text, places | {"verifier": both}) as proxy:
        calls = [("GET", "/badges/1"), ("POST", "/v1/verify")] * 2
        callers = [threading.Thread(target=call, args=(proxy, *each)) for each in calls]
        for each in callers:
            each.start()
        for replica in replicas * 2:
            replica.stop()
            replica.start()
            eventually(replica.is_ready, 30)
            before = met.total()
            eventually(lambda before=before: met.total() > before + 50, 30)  # type: ignore[misc]  # bound now
        over.set()
        for each in callers:
            each.join(30)
    for replica in replicas:
        replica.stop()
    assert set(met) == {"GET 200", "POST 200"}, met

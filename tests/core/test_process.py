import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from core.errors import Missing, ProcessFailed
from core.process import Command, ask, run, service

ROOT = Path(__file__).parents[2]


def python(code, *arguments, **more):
    return Command((sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)), **more)


@pytest.fixture
def port():
    """A port that is held for the test: only a server that shares it, as SERVER does, can listen on it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def alive(process_id):
    """Whether a process exists and is more than an entry of the process table."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# a leader that starts a worker, writes both ids, and waits
FAMILY = """
    import os, subprocess, sys, time
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(f"{os.getpid()} {worker.pid}")
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(60)
"""


def test_output_goes_to_the_log_in_order(tmp_path):
    run(python("import os; os.write(1, b'one\\n'); os.write(2, b'two\\n')"), tmp_path / "log")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_environment_and_folder_reach_the_program(tmp_path):
    command = python("import os; print(os.environ['COLOUR'], os.getcwd())", env={"COLOUR": "red"}, cwd=tmp_path)
    run(command, tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == ["red", str(tmp_path)]


def test_a_failure_quotes_the_end_of_the_log(tmp_path):
    command = python("[print('line', i) for i in range(100)]; raise SystemExit(3)")
    with pytest.raises(ProcessFailed, match="ended with status 3") as caught:
        run(command, tmp_path / "log")
    assert "line 92\n" in caught.value.render()  # the last 8 of 100
    assert "line 91\n" not in caught.value.render()
    assert str(tmp_path / "log") in caught.value.render()


def test_a_failure_quotes_a_log_that_is_no_utf8(tmp_path):
    with pytest.raises(ProcessFailed, match="GB18030 here"):
        run(
            python("import os; os.write(1, '净值'.encode('gb18030') + b' GB18030 here'); os._exit(1)"), tmp_path / "log"
        )


@pytest.mark.parametrize("name", ["no-such-program", "folder", "text"])
def test_a_program_that_cannot_be_started_is_missing(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    program = str(tmp_path / name)
    with pytest.raises(Missing, match="cannot start") as caught:
        run(Command((program,)), tmp_path / "log")
    assert caught.value.exit_code == 3
    with pytest.raises(Missing, match="cannot start"):
        ask((program,))


def runs_a_family(tmp_path, first=""):
    """A process in `core.process.run`, and the leader and worker that it runs; SIGTERM leaves the file `stopping`."""
    leader = f"{first}\n{textwrap.dedent(FAMILY)}"
    code = f"""
        import signal, sys
        from pathlib import Path
        from core.process import Command, run
        def stop(*_):
            Path({str(tmp_path / "stopping")!r}).touch()
            sys.exit(143)
        signal.signal(signal.SIGTERM, stop)
        run(Command((sys.executable, "-c", {leader!r}, {str(tmp_path / "ids")!r})), Path({str(tmp_path / "log")!r}))
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=environment)
    wait_until((tmp_path / "ids").exists)
    family = [int(part) for part in (tmp_path / "ids").read_text().split()]
    assert all(map(alive, family))
    return parent, family


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_an_interrupted_run_ends_the_program_and_its_workers(tmp_path):
    parent, family = runs_a_family(tmp_path)
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(120) == 143
    wait_until(lambda: not any(map(alive, family)))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_a_killed_run_takes_the_program_and_its_workers_with_it(tmp_path):
    parent, family = runs_a_family(tmp_path)
    parent.kill()
    assert parent.wait(120) == -signal.SIGKILL
    wait_until(lambda: not any(map(alive, family)))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_a_second_interrupt_ends_a_program_that_does_not_heed_the_first(tmp_path):
    parent, family = runs_a_family(tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    parent.send_signal(signal.SIGTERM)
    wait_until(lambda: (tmp_path / "stopping").exists())
    assert all(map(alive, family))
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(120) == 143
    wait_until(lambda: not any(map(alive, family)))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_workers_that_outlive_their_leader_are_ended(tmp_path):
    deaf = "\n    import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"  # the worker inherits it
    leader = python(deaf + FAMILY[: FAMILY.rindex("time.sleep")], tmp_path / "ids")
    run(leader, tmp_path / "log")
    worker = int((tmp_path / "ids").read_text().split()[1])
    wait_until(lambda: not alive(worker))


def test_ask_gives_what_a_program_prints_on_both_outputs():
    assert ask(
        (sys.executable, "-c", "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)")
    ) == ("out\nerr")


def test_ask_raises_with_the_status_and_the_words_of_a_failure():
    with pytest.raises(ProcessFailed, match="status 1: no GPU here"):
        ask((sys.executable, "-c", "raise SystemExit('no GPU here')"))


def test_ask_does_not_wait_for_a_program_or_its_workers_beyond_the_time():
    began = time.monotonic()
    with pytest.raises(ProcessFailed, match=r"did not answer in 0.5 s"):
        ask(("sh", "-c", "sleep 200 & sleep 200"), timeout_seconds=0.5)
    assert time.monotonic() - began < 100


SERVER = """
    import http.server, os, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if os.path.exists(sys.argv[2]) else 503)
            self.end_headers()
    class Server(http.server.HTTPServer):
        allow_reuse_port = True
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_service_is_up_inside_the_block_and_gone_after_it(tmp_path, port):
    (tmp_path / "model").touch()
    url = f"http://127.0.0.1:{port}/"
    with service(python(SERVER, port, tmp_path / "model"), tmp_path / "log", ready=url, timeout_seconds=120):
        assert urllib.request.urlopen(url, timeout=60).status == 200
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=60)


def test_a_service_that_fails_in_the_block_is_gone_too(tmp_path, port):
    (tmp_path / "model").touch()
    url = f"http://127.0.0.1:{port}/"
    command = python(SERVER, port, tmp_path / "model")
    with contextlib.suppress(KeyError), service(command, tmp_path / "log", ready=url, timeout_seconds=120):
        raise KeyError
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=60)


def test_a_failure_in_the_block_of_a_service_that_has_died_is_told_as_its_death(tmp_path, port):
    (tmp_path / "model").touch()
    command = python(
        "import os; print('out of memory', flush=True)\n" + textwrap.dedent(SERVER), port, tmp_path / "model"
    )
    with (
        pytest.raises(ProcessFailed, match="ended with status -9") as caught,
        service(command, tmp_path / "log", ready=f"http://127.0.0.1:{port}/", timeout_seconds=120) as running,
    ):
        running.check()  # it lives
        os.kill(running.child.pid, signal.SIGKILL)
        running.child.wait()
        raise Missing("connection refused")
    assert "out of memory" in caught.value.render()


def test_a_service_that_answers_503_is_not_ready(tmp_path, port):
    command = python(SERVER, port, tmp_path / "absent")
    with (
        pytest.raises(ProcessFailed, match="was not ready after 1 s"),
        service(command, tmp_path / "log", ready=f"http://127.0.0.1:{port}/", timeout_seconds=1),
    ):
        pytest.fail("the block was entered")


def test_a_service_that_does_not_speak_http_yet_is_waited_for(tmp_path, port):
    code = """
        import socket, sys
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(("127.0.0.1", int(sys.argv[1])))
            server.listen()
            for reply in ("SSH-2.0-other", "HTTP/1.1 no", "HTTP/1.1 200 OK"):
                client, _ = server.accept()
                with client:
                    client.recv(10_000)
                    client.sendall(reply.encode() + bytes([13, 10, 13, 10]))
            server.accept()
    """
    command = python(code, port)
    with service(command, tmp_path / "log", ready=f"http://127.0.0.1:{port}/", timeout_seconds=120) as running:
        running.check()


def test_a_service_that_dies_says_why(tmp_path):
    command = python("raise SystemExit('no GPU here')")
    with (
        pytest.raises(ProcessFailed, match="ended with status 1 before it was ready") as caught,
        service(command, tmp_path / "log", ready="http://127.0.0.1:9/", timeout_seconds=120),
    ):
        pytest.fail("the block was entered")
    assert "no GPU here" in caught.value.render()


def test_a_service_of_this_machine_is_asked_without_the_proxy(tmp_path, port):
    (tmp_path / "model").touch()
    code = f"""
        import sys
        from pathlib import Path
        from core.process import Command, service
        command = Command((sys.executable, "-c", {textwrap.dedent(SERVER)!r}, "{port}", {str(tmp_path / "model")!r}))
        with service(command, Path({str(tmp_path / "log")!r}), ready="http://127.0.0.1:{port}/", timeout_seconds=120):
            print("ready")
    """
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    asked = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=env, capture_output=True, text=True, check=False
    )
    assert asked.stdout == "ready\n", asked.stderr

# SPDX-License-Identifier: Apache-2.0
"""What the proxy's tests talk to: `casemate serve`, `casemate proxy`, and stubs of the gRPC services."""

import http.client
import importlib
import json
import os
import pathlib
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CASEMATE = pathlib.Path(os.environ.get("CASEMATE_BUILD", SOURCE / "build/release")) / "bin/casemate"
PATIENCE_S = 60


class Program:
    """`casemate ARGUMENTS`, with what it prints."""

    def __init__(self, *arguments, environment=None):
        self.lines = []
        self.process = subprocess.Popen([CASEMATE, *map(str, arguments)], stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.STDOUT, env=environment or dict(os.environ))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def line_with(self, text, count=1):
        """The count-th line that has that text, once it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = [line for line in self.lines if text in line]
            if len(found) >= count:
                return found[count - 1]
            if self.process.poll() is not None and not self.reader.is_alive():
                break
            time.sleep(0.01)
        raise AssertionError(f"no line {count} with '{text}':\n" + "\n".join(self.lines))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.reader.join(5)
        self.process.stdout.close()
        return code


class Served:
    """A system that serves the repository's models."""

    def __init__(self, *more, listen="127.0.0.1:0"):
        self.folder = tempfile.mkdtemp(prefix="casemate-proxy-test-")
        run = pathlib.Path(self.folder, "run")
        run.mkdir(mode=0o700)
        self.environment = dict(os.environ, CASEMATE_RUN=str(run), CASEMATE_STATE=f"{self.folder}/state")
        self.program = Program("serve", "--models", SOURCE / "models", "--listen", listen, *more,
                               environment=self.environment)
        self.program.line_with("watch:")
        self.url = self.program.line_with("serving on ").split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def run(self, *arguments):
        return subprocess.run([CASEMATE, *map(str, arguments)], env=self.environment, text=True,
                              capture_output=True, timeout=PATIENCE_S)

    def stop(self):
        self.program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy:
    def __init__(self, url, *more):
        self.program = Program("proxy", url, "--listen", "127.0.0.1:0", *more)
        address = self.program.line_with("proxy on ").split()[2]
        self.authority = address.removeprefix("http://").rstrip(",")
        self.host, port = self.authority.split(":")
        self.port = int(port)

    def stop(self):
        return self.program.stop()


def stubs():
    """The modules that protoc makes: inference_pb2, inference_pb2_grpc, health_pb2, health_pb2_grpc."""
    folder = tempfile.mkdtemp(prefix="casemate-stubs-")
    protos = SOURCE / "isolated/gateway/grpc"
    plugin = shutil.which("grpc_python_plugin")
    subprocess.run(["protoc", f"-I{protos}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                    f"--plugin=protoc-gen-grpc_python={plugin}", protos / "inference.proto",
                    protos / "health.proto"], check=True)
    sys.path.insert(0, folder)
    names = ("inference_pb2", "inference_pb2_grpc", "health_pb2", "health_pb2_grpc")
    modules = [importlib.import_module(name) for name in names]
    shutil.rmtree(folder, ignore_errors=True)
    return modules


def pictures(count):
    """Made-up inputs of the digits model, as its bytes."""
    values = [((7 * i) % 97) / 97 for i in range(count * 28 * 28)]
    return struct.pack(f"<{len(values)}f", *values)


class Rest:
    """Sends what tritonclient.http sends: no Content-Type, binary tensors, the length of the JSON part in a header,
    and the answer's kind read from that header alone."""

    def __init__(self, port, tls=False):
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=PATIENCE_S)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def ask(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer, answer.read()

    def infer(self, tensor, count):
        head = json.dumps({"inputs": [{"name": "image", "shape": [count, 1, 28, 28], "datatype": "FP32",
                                       "parameters": {"binary_data_size": len(tensor)}}],
                           "parameters": {"binary_data_output": True}}).encode()
        answer, body = self.ask("POST", "/v2/models/digits/infer", head + tensor,
                                {"Inference-Header-Content-Length": str(len(head))})
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {json.loads(body)['error']}")
        size = int(answer.getheader("Inference-Header-Content-Length"))
        return json.loads(body[:size]), body[size:]

    def close(self):
        self.connection.close()

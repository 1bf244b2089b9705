#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The proxy forwards to nobody that does not pass, and notices when who answers is another."""

import http.client
import json
import pathlib
import subprocess
import tempfile
import time
import unittest

import grpc

import running

inference, inference_grpc, _, _ = running.stubs()


def setUpModule():
    global served, tensor
    served = running.Served()
    tensor = running.pictures(1)


def tearDownModule():
    served.stop()


def call(proxy):
    with grpc.insecure_channel(proxy.authority) as channel:
        asked = inference.ModelInferRequest(model_name="digits", raw_input_contents=[tensor])
        asked.inputs.add(name="image", datatype="FP32", shape=[1, 1, 28, 28])
        return inference_grpc.GRPCInferenceServiceStub(channel).ModelInfer(asked, timeout=30)


class Refusals(unittest.TestCase):
    def proxy(self, *arguments, url=None):
        proxy = running.Proxy(url or served.url, *arguments)
        self.addCleanup(proxy.stop)
        return proxy

    def refused(self, proxy, check):
        """Whatever the client speaks, it hears the verdict."""
        rest = running.Rest(proxy.port)
        answer, body = rest.ask("POST", "/v2/models/digits/infer", tensor)
        rest.close()
        self.assertEqual(answer.status, 502)
        document = json.loads(body)
        self.assertIn("not forwarded", document["error"])
        self.assertEqual((document["verdict"]["status"], document["verdict"]["first_failure"]["code"]),
                         ("refused", check))
        with self.assertRaises(grpc.RpcError) as raised:
            call(proxy)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("not forwarded", raised.exception.details())
        over_2 = subprocess.run(["curl", "-s", "-w", "%{http_code}", "--http2-prior-knowledge", "-d", "x",
                                 f"http://{proxy.authority}/v2/models/digits/infer"],
                                capture_output=True, text=True, timeout=60).stdout
        self.assertTrue(over_2.endswith("502") and "not forwarded" in over_2, over_2)

    def test_a_development_root_is_refused_unless_it_is_allowed(self):
        self.refused(self.proxy(), "root.kind")

    def test_a_policy_that_pins_another_platform_is_not_passed(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as policy:
            json.dump({"allow_software_root": True, "platform": ["00" * 48]}, policy)
            policy.flush()
            self.refused(self.proxy("--policy", policy.name), "platform.measurement")

    def test_a_policy_that_pins_another_model_is_not_passed(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as policy:
            json.dump({"allow_software_root": True, "models": {"digits": {"model": ["00" * 48]}}}, policy)
            policy.flush()
            self.refused(self.proxy("--policy", policy.name), "enclave.model")

    def test_a_server_that_is_not_there_is_a_502_too(self):
        proxy = self.proxy("--allow-software-root", url="https://127.0.0.1:9")
        rest = running.Rest(proxy.port)
        answer, body = rest.ask("GET", "/v2")
        self.assertEqual((answer.status, json.loads(body)["verdict"]), (502, None))
        rest.close()

    def test_unverified_forwarding_is_shouted_about(self):
        proxy = self.proxy("--insecure-skip-verification")
        proxy.program.line_with("WARNING: --insecure-skip-verification")
        self.assertIn("UNVERIFIED", proxy.program.line_with("proxy on "))
        self.assertEqual(call(proxy).model_name, "digits")

    def test_other_machines_are_not_let_in_by_mistake(self):
        done = subprocess.run([running.CASEMATE, "proxy", served.url, "--listen", "0.0.0.0:0"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--insecure-remote-clients", done.stderr)

    def test_it_does_not_start_where_its_verdicts_cannot_be_kept(self):
        done = subprocess.run([running.CASEMATE, "proxy", served.url, "--allow-software-root", "--listen", "127.0.0.1:0",
                               "--record", "/nonexistent/record"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3)
        self.assertIn("/nonexistent/record", done.stderr)

    def test_a_record_without_verdicts_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            record = pathlib.Path(folder, "record")
            done = subprocess.run([running.CASEMATE, "proxy", served.url, "--insecure-skip-verification", "--listen",
                                   "127.0.0.1:0", "--record", record], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--record", done.stderr)
            self.assertFalse(record.exists())

    def test_it_ends_when_told_to_with_clients_connected(self):
        proxy = running.Proxy(served.url, "--allow-software-root")
        rest = running.Rest(proxy.port)
        rest.infer(tensor, 1)
        self.assertEqual(proxy.stop(), 0)
        rest.close()


class Changes(unittest.TestCase):
    def test_a_gateway_that_starts_anew_is_verified_anew(self):
        proxy = running.Proxy(served.url, "--allow-software-root")
        self.addCleanup(proxy.stop)
        first = call(proxy).raw_output_contents[0]
        proxy.program.line_with("verified")
        self.assertEqual(served.run("kill", "gateway").returncode, 0)
        # The connection may break in the middle; a client that connects again is served.
        for _ in range(50):
            try:
                self.assertEqual(call(proxy).raw_output_contents[0], first)
                break
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
        else:
            self.fail("nobody is served any more")
        proxy.program.line_with("verified", 2)

    def test_a_policy_that_comes_to_allow_a_development_root_is_warned_of(self):
        with tempfile.TemporaryDirectory() as folder:
            policy, new = pathlib.Path(folder, "policy.json"), pathlib.Path(folder, "new")
            policy.write_text("{}")
            proxy = running.Proxy(served.url, "--policy", policy)
            self.addCleanup(proxy.stop)
            Refusals.refused(self, proxy, "root.kind")
            self.assertFalse([line for line in proxy.program.lines if "WARNING" in line])
            new.write_text(json.dumps({"allow_software_root": True}))
            new.rename(policy)
            proxy.program.line_with("WARNING: allow_software_root in the policy")
            self.assertEqual(call(proxy).model_name, "digits")

    def test_a_policy_that_changes_ends_whom_it_does_not_let_through(self):
        with tempfile.TemporaryDirectory() as folder:
            policy, record = pathlib.Path(folder, "policy.json"), pathlib.Path(folder, "record")
            policy.write_text(json.dumps({"allow_software_root": True}))
            proxy = running.Proxy(served.url, "--policy", policy, "--record", record)
            self.addCleanup(proxy.stop)
            proxy.program.line_with("WARNING: allow_software_root in the policy")
            rest = running.Rest(proxy.port)
            rest.infer(tensor, 1)
            new = pathlib.Path(folder, "new")
            new.write_text(json.dumps({"allow_software_root": True, "platform": ["00" * 48]}))
            new.rename(policy)
            proxy.program.line_with("platform.measurement")
            with self.assertRaises((ConnectionError, http.client.HTTPException)):
                for _ in range(100):
                    rest.infer(tensor, 1)
                    time.sleep(0.05)
            rest.close()
            Refusals.refused(self, proxy, "platform.measurement")
            kept = [json.loads(line) for line in record.read_text().splitlines()]
            self.assertEqual((kept[0]["accepted"], kept[-1]["accepted"]), (True, False))
            self.assertEqual(kept[0]["server"], served.url.removeprefix("https://"))
            self.assertIn("platform.measurement", kept[-1]["reason"])
            self.assertNotEqual(kept[0]["policy_sha256"], kept[-1]["policy_sha256"])

    def test_another_gateway_that_does_not_pass_gets_nothing(self):
        own = running.Served()
        proxy = running.Proxy(own.url, "--allow-software-root")
        self.addCleanup(proxy.stop)
        rest = running.Rest(proxy.port)
        rest.infer(tensor, 1)
        rest.close()
        own.stop()
        other = running.Served("--debug", listen=f"127.0.0.1:{own.port}")
        self.addCleanup(other.stop)
        Refusals.refused(self, proxy, "token.debug")


if __name__ == "__main__":
    unittest.main()

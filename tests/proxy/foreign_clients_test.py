#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that are not ours, through the proxy: grpcio, curl, nghttp, and Triton's way of REST."""

import json
import struct
import subprocess
import threading
import unittest

import grpc

import running

inference, inference_grpc, health, health_grpc = running.stubs()


def setUpModule():
    global served, proxy, tensor, expected
    served = running.Served()
    proxy = running.Proxy(served.url, "--allow-software-root")
    proxy.program.line_with("verified")
    tensor = running.pictures(3)
    direct = running.Rest(served.port, tls=True)
    expected = direct.infer(tensor, 3)[1]
    direct.close()


def tearDownModule():
    proxy.stop()
    served.stop()


def curl(*arguments):
    done = subprocess.run(["curl", "-s", "-S", *arguments], capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def request_of(raw=None, typed=None, count=3, **more):
    asked = inference.ModelInferRequest(model_name="digits", **more)
    image = asked.inputs.add(name="image", datatype="FP32", shape=[count, 1, 28, 28])
    if typed is not None:
        image.contents.fp32_contents.extend(typed)
    if raw is not None:
        asked.raw_input_contents.append(raw)
    return asked


class GrpcThroughTheProxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.channel = grpc.insecure_channel(proxy.authority, options=[("grpc.max_receive_message_length", 1 << 30)])
        cls.stub = inference_grpc.GRPCInferenceServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()

    def refused(self, code, words, call):
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        self.assertEqual(raised.exception.code(), code, raised.exception.details())
        self.assertIn(words, raised.exception.details())

    def test_raw_contents_give_the_answer_that_rest_gives(self):
        answer = self.stub.ModelInfer(request_of(raw=tensor, id="seven"))
        self.assertEqual(answer.raw_output_contents[0], expected)
        self.assertEqual((answer.model_name, answer.model_version, answer.id), ("digits", "1", "seven"))
        self.assertEqual((answer.outputs[0].datatype, list(answer.outputs[0].shape)), ("FP32", [3, 10]))

    def test_typed_contents_give_the_same(self):
        typed = struct.unpack(f"<{len(tensor) // 4}f", tensor)
        self.assertEqual(self.stub.ModelInfer(request_of(typed=typed)).raw_output_contents[0], expected)

    def test_many_calls_at_a_time_each_get_their_answer(self):
        calls = [self.stub.ModelInfer.future(request_of(raw=tensor, id=str(i))) for i in range(100)]
        for i, call in enumerate(calls):
            answer = call.result(60)
            self.assertEqual((answer.id, answer.raw_output_contents[0]), (str(i), expected))

    def test_classes_come_as_strings(self):
        asked = request_of(raw=tensor)
        asked.outputs.add(name=self.metadata().outputs[0].name).parameters["classification"].int64_param = 2
        answer = self.stub.ModelInfer(asked)
        self.assertEqual((answer.outputs[0].datatype, list(answer.outputs[0].shape)), ("BYTES", [3, 2]))
        size = struct.unpack("<I", answer.raw_output_contents[0][:4])[0]
        value, index = answer.raw_output_contents[0][4:4 + size].split(b":")
        scores = struct.unpack("<10f", expected[:40])
        self.assertEqual(int(index), scores.index(max(scores)))

    def metadata(self):
        return self.stub.ModelMetadata(inference.ModelMetadataRequest(name="digits"))

    def test_what_is_asked_beside_inference_is_answered(self):
        self.assertTrue(self.stub.ServerLive(inference.ServerLiveRequest()).live)
        self.assertTrue(self.stub.ServerReady(inference.ServerReadyRequest()).ready)
        self.assertTrue(self.stub.ModelReady(inference.ModelReadyRequest(name="digits")).ready)
        self.assertFalse(self.stub.ModelReady(inference.ModelReadyRequest(name="nobody")).ready)
        server = self.stub.ServerMetadata(inference.ServerMetadataRequest())
        self.assertEqual(server.name, "casemate")
        self.assertIn("binary_tensor_data", server.extensions)
        metadata = self.metadata()
        self.assertEqual(metadata.platform, "onnx_onnxv1")
        self.assertEqual([(i.name, i.datatype, list(i.shape)) for i in metadata.inputs],
                         [("image", "FP32", [-1, 1, 28, 28])])
        config = self.stub.ModelConfig(inference.ModelConfigRequest(name="digits")).config
        self.assertEqual((config.name, config.backend), ("digits", "casemate"))
        self.assertEqual((config.input[0].data_type, list(config.input[0].dims)), (inference.TYPE_FP32, [1, 28, 28]))
        index = self.stub.RepositoryIndex(inference.RepositoryIndexRequest(ready=True))
        self.assertIn(("digits", "READY"), [(m.name, m.state) for m in index.models])
        self.stub.ModelInfer(request_of(raw=tensor))
        statistics = self.stub.ModelStatistics(inference.ModelStatisticsRequest(name="digits")).model_stats[0]
        self.assertGreaterEqual(statistics.inference_stats.success.count, 1)
        check = health_grpc.HealthStub(self.channel).Check
        self.assertEqual(check(health.HealthCheckRequest()).status, health.HealthCheckResponse.SERVING)
        self.refused(grpc.StatusCode.NOT_FOUND, "service",
                     lambda: check(health.HealthCheckRequest(service="nobody")))

    def test_mistakes_are_named(self):
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        infer = self.stub.ModelInfer
        self.refused(invalid, "raw contents have 4 bytes", lambda: infer(request_of(raw=b"abcd")))
        self.refused(invalid, "exclude each other", lambda: infer(request_of(raw=tensor, typed=[1.0])))
        self.refused(invalid, "takes 2352 elements", lambda: infer(request_of(typed=[1.0, 2.0])))
        self.refused(invalid, "negative extent -1", lambda: infer(request_of(raw=tensor, count=-1)))
        self.refused(grpc.StatusCode.NOT_FOUND, "no model 'nobody'",
                     lambda: infer(inference.ModelInferRequest(model_name="nobody")))
        self.refused(invalid, "is missing", lambda: infer(inference.ModelInferRequest(model_name="digits")))
        shared = request_of(raw=tensor)
        shared.inputs[0].parameters["shared_memory_region"].string_param = "region"
        self.refused(invalid, "shared memory", lambda: infer(shared))
        infer(request_of(raw=tensor))  # and the connection has survived all of it

    def test_what_is_not_offered_says_why(self):
        missing = grpc.StatusCode.UNIMPLEMENTED
        self.refused(missing, "use ModelInfer", lambda: list(self.stub.ModelStreamInfer(iter([request_of()]))))
        for service, words in (("inference.GRPCInferenceService/RepositoryModelLoad", "evidence"),
                               ("inference.GRPCInferenceService/SystemSharedMemoryStatus", "wall"),
                               ("inference.GRPCInferenceService/Nothing", "no such method"),
                               ("somebody.Else/Nothing", "nothing here")):
            call = self.channel.unary_unary(f"/{service}", lambda m: m, lambda m: m)
            self.refused(missing, words, lambda call=call: call(b""))
        compressed = {"compression": grpc.Compression.Gzip}
        self.refused(missing, "compressed", lambda: self.stub.ModelInfer(request_of(raw=tensor), **compressed))

    def test_a_cancelled_call_harms_no_other(self):
        for _ in range(20):
            self.stub.ModelInfer.future(request_of(raw=tensor)).cancel()
        self.assertEqual(self.stub.ModelInfer(request_of(raw=tensor)).raw_output_contents[0], expected)


class RestThroughTheProxy(unittest.TestCase):
    def test_binary_tensors_go_as_tritons_client_sends_them(self):
        client = running.Rest(proxy.port)
        for _ in range(3):
            head, body = client.infer(tensor, 3)
            self.assertEqual((head["model_name"], body), ("digits", expected))
        answer, body = client.ask("POST", "/v2/models/digits/infer", b"{")
        self.assertEqual(answer.status, 400)
        self.assertIn("error", json.loads(body))
        client.close()

    def test_curl_speaks_json_over_both_versions_of_http(self):
        values = [round(v, 6) for v in struct.unpack("<784f", tensor[:3136])]
        asked = json.dumps({"inputs": [{"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": values}]})
        url = f"http://{proxy.authority}/v2/models/digits/infer"
        answers = [curl(version, "-d", asked, url) for version in ("--http1.1", "--http2-prior-knowledge")]
        self.assertEqual(json.loads(answers[0]), json.loads(answers[1]))
        self.assertEqual(len(json.loads(answers[0])["outputs"][0]["data"]), 10)

    def test_rest_over_http_2_says_what_rest_says(self):
        for path in ("/v2", "/v2/models/digits", "/v2/models/digits/config", "/v2/models/nobody", "/nowhere"):
            url = f"http://{proxy.authority}{path}"
            both = [curl("-w", "%{http_code} %{content_type}", version, url)
                    for version in ("--http1.1", "--http2-prior-knowledge")]
            self.assertEqual(both[0], both[1])
        head = curl("-I", "--http2-prior-knowledge", f"http://{proxy.authority}/v2/health/ready").decode().lower()
        self.assertIn("http/2 200", head)
        self.assertIn("content-length: 14", head)

    def test_nghttp_and_many_clients_at_a_time(self):
        done = subprocess.run(["nghttp", "-v", f"http://{proxy.authority}/v2"], capture_output=True, text=True, timeout=60)
        self.assertIn(":status: 200", done.stdout)
        failures = []

        def ask():
            client = running.Rest(proxy.port)
            for _ in range(20):
                if client.infer(tensor, 3)[1] != expected:
                    failures.append("another answer")
            client.close()

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_a_client_that_sends_half_a_request_and_goes_harms_nobody(self):
        for _ in range(5):
            client = running.Rest(proxy.port)
            client.connection.putrequest("POST", "/v2/models/digits/infer")
            client.connection.putheader("Content-Length", "1000000")
            client.connection.endheaders(b"x" * 1000)
            client.close()
        client = running.Rest(proxy.port)
        self.assertEqual(client.infer(tensor, 3)[1], expected)
        client.close()


if __name__ == "__main__":
    unittest.main()

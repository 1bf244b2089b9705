// SPDX-License-Identifier: Apache-2.0
// Times gRPC's null calls over a Unix socket between two processes:
//
//   grpc_peer one|many SECONDS
//
//   one   one blocking call at a time
//   many  64 calls in flight on one completion queue
//
// Prints one line of JSON: nanoseconds per call (median and 99th percentile; `one` only) and calls
// per second.
#include <grpcpp/grpcpp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "null.grpc.pb.h"

namespace {

using casemate::peers::Empty;
using casemate::peers::Null;
using Clock = std::chrono::steady_clock;

class Server final : public Null::Service {
  grpc::Status Call(grpc::ServerContext*, const Empty*, Empty*) override { return {}; }
};

[[noreturn]] void serve(const std::string& address) {
  Server service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  server->Wait();
  ::_exit(0);
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

bool call(Null::Stub& stub) {
  grpc::ClientContext context;
  Empty reply;
  return stub.Call(&context, Empty(), &reply).ok();
}

bool one(Null::Stub& stub, double seconds) {
  std::vector<double> nanoseconds;
  const auto begin = Clock::now();
  while (seconds_since(begin) < seconds) {
    const auto before = Clock::now();
    if (!call(stub)) return false;
    nanoseconds.push_back(seconds_since(before) * 1e9);
  }
  const double rate = static_cast<double>(nanoseconds.size()) / seconds_since(begin);
  std::ranges::sort(nanoseconds);
  std::printf("{\"median_ns\": %.1f, \"p99_ns\": %.1f, \"calls_per_s\": %.0f}\n",
              nanoseconds[nanoseconds.size() / 2], nanoseconds[nanoseconds.size() * 99 / 100],
              rate);
  return true;
}

struct Flight {
  grpc::ClientContext context;
  Empty reply;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Empty>> reader;
};

void launch(Null::Stub& stub, grpc::CompletionQueue& queue) {
  auto* flight = new Flight;
  flight->reader = stub.AsyncCall(&flight->context, Empty(), &queue);
  flight->reader->Finish(&flight->reply, &flight->status, flight);
}

bool many(Null::Stub& stub, double seconds) {
  grpc::CompletionQueue queue;
  for (int i = 0; i < 64; ++i) launch(stub, queue);
  size_t in_flight = 64;
  size_t calls = 0;
  const auto begin = Clock::now();
  double taken = 0;
  while (in_flight > 0) {
    void* tag = nullptr;
    bool sound = false;
    if (!queue.Next(&tag, &sound)) return false;
    const std::unique_ptr<Flight> flight(static_cast<Flight*>(tag));
    if (!flight->status.ok()) return false;
    --in_flight;
    if (taken = seconds_since(begin); taken >= seconds) continue;
    ++calls;
    ++in_flight;
    launch(stub, queue);
  }
  std::printf("{\"calls_per_s\": %.0f}\n", static_cast<double>(calls) / seconds);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  if (mode != "one" && mode != "many") {
    std::fputs("usage: grpc_peer one|many SECONDS\n", stderr);
    return 2;
  }
  std::string folder = "/tmp/casemate-grpc-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 3;
  const std::string address = "unix:" + folder + "/socket";
  const pid_t child = ::fork();  // before gRPC has threads
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(address);
  }
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const auto stub = Null::NewStub(channel);
  bool done =
      channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10));
  for (int i = 0; done && i < 1000; ++i) done = call(*stub);
  const double seconds = std::atof(argv[2]);
  done = done && (mode == "one" ? one(*stub, seconds) : many(*stub, seconds));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::unlink((folder + "/socket").c_str());
  ::rmdir(folder.c_str());
  if (!done) std::fputs("grpc_peer: a call failed\n", stderr);
  return done ? 0 : 1;
}

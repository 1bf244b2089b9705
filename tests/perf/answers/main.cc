// SPDX-License-Identifier: Apache-2.0
// Has a server answer many inputs over TLS, one request each:
//
//   casemate-perf-answers URL MODEL INPUT INPUTS.f32 OUTPUTS.f32 CONNECTIONS DIM...
//
// INPUTS are float32 tensors of shape DIM... back to back, OUTPUTS the first output of each. Prints
// one line of JSON: milliseconds per request (median and 99th percentile) and requests per second.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>

#include "outside/client/file.h"
#include "outside/client/session.h"

namespace {

using namespace casemate;

struct Job {
  std::string url;
  std::string model;
  std::string input;
  Shape shape;
  std::vector<uint8_t> inputs;
  size_t input_bytes = 0;
  size_t connections = 1;
};

struct Answers {
  std::vector<std::vector<uint8_t>> outputs;
  std::vector<double> milliseconds;
};

double ms_between(Instant from, Instant to) {
  return static_cast<double>((to - from).count()) / 1e6;
}

// Answers every `connections`-th input from `first` on.
Status answer(const Job& job, size_t first, Answers& answers) {
  verify::Policy policy;
  policy.allow_software_root = true;
  auto session = TRY(client::Session::connect(job.url, policy));
  for (size_t i = first; i < answers.outputs.size(); i += job.connections) {
    const Bytes data = Bytes(job.inputs).subspan(i * job.input_bytes, job.input_bytes);
    const client::Tensor tensor{
        job.input, ElementType::kFloat32, job.shape, {data.begin(), data.end()}};
    const Instant begin = system_clock().now();
    auto outputs = TRY(session.infer(job.model, {&tensor, 1}));
    answers.milliseconds[i] = ms_between(begin, system_clock().now());
    answers.outputs[i] = std::move(outputs.front().data);
  }
  return {};
}

Status run(const Job& job, const std::string& path) {
  const size_t count = job.inputs.size() / job.input_bytes;
  Answers answers{std::vector<std::vector<uint8_t>>(count), std::vector<double>(count)};
  std::vector<Status> done(job.connections);
  std::vector<std::thread> threads;
  const Instant begin = system_clock().now();
  for (size_t i = 0; i < job.connections; ++i)
    threads.emplace_back([&, i] { done[i] = answer(job, i, answers); });
  for (std::thread& thread : threads) thread.join();
  const double total_ms = ms_between(begin, system_clock().now());
  for (const Status& status : done) TRY(status);
  std::vector<uint8_t> all;
  for (const auto& output : answers.outputs) all.insert(all.end(), output.begin(), output.end());
  TRY(client::write_file(path, all));
  std::ranges::sort(answers.milliseconds);
  std::printf("{\"requests\": %zu, \"median_ms\": %.4f, \"p99_ms\": %.4f, \"per_s\": %.1f}\n",
              count, answers.milliseconds[count / 2], answers.milliseconds[count * 99 / 100],
              static_cast<double>(count) * 1e3 / total_ms);
  return {};
}

Result<Job> job_of(char** argv, int argc) {
  Job job{argv[1], argv[2], argv[3], {}, TRY(client::read_file(argv[4], 4ull << 30))};
  std::vector<int64_t> dims;
  for (int i = 7; i < argc; ++i) dims.push_back(std::atoll(argv[i]));
  job.shape = Shape(dims);
  job.input_bytes = job.shape.byte_size(ElementType::kFloat32).value_or(0);
  job.connections = static_cast<size_t>(std::max(1, std::atoi(argv[6])));
  if (job.input_bytes == 0 || job.inputs.size() < job.input_bytes)
    return Error{Code::kInvalid, "the inputs do not hold one tensor of that shape"};
  return job;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 8) {
    std::cerr << "usage: casemate-perf-answers URL MODEL INPUT INPUTS.f32 OUTPUTS.f32 CONNECTIONS "
                 "DIM...\n";
    return 2;
  }
  const auto job = job_of(argv, argc);
  const Status done = job ? run(*job, argv[5]) : job.error();
  if (done) return 0;
  std::cerr << "casemate-perf-answers: " << done.error().text << "\n";
  return 1;
}

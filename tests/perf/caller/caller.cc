// SPDX-License-Identifier: Apache-2.0
#include "tests/perf/caller/caller.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/mapping.h"

namespace casemate::perf {
namespace {

constexpr int kListener = 4;
constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kSpin = std::chrono::milliseconds(1);

double median(std::vector<double>& values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

double nanoseconds(Instant from, Instant to) { return static_cast<double>((to - from).count()); }

// Sleeps until the bell rings.
void ring(int bell) {
  pollfd waiting{bell, POLLIN, 0};
  if (::poll(&waiting, 1, 1000) != 1) return;
  uint64_t rung = 0;
  [[maybe_unused]] const auto size = ::read(bell, &rung, sizeof rung);
}

// Keeps its memory between runs.
class Kept final : public engine::OutputSink {
 public:
  explicit Kept(std::vector<float>& output) : output_(output) {}
  Result<MutableBytes> memory(size_t, ElementType, const Shape&, uint64_t bytes) override {
    output_.resize(bytes / sizeof(float));
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(output_.data())), bytes);
  }

 private:
  std::vector<float>& output_;
};

}  // namespace

Status Caller::start(const control::Message& manifest) {
  const Fd fd(::open("/model/model.onnx", O_RDONLY | O_CLOEXEC));
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0) return errno_error("the model's file");
  const Mapping file = TRY(Mapping::shared(fd.number(), static_cast<size_t>(facts.st_size), false));
  model_.emplace(TRY(engine::Model::load(
      file.bytes(), {.directory = "/model", .threads = static_cast<int>(manifest.threads)})));
  return model_->seal();
}

// Asleep as an event loop is: the bell is armed before the call. Spinning otherwise, for as long as
// a short call may take, and asleep after that.
Result<srpc::Reply> Caller::wait(srpc::Caller& stream) const {
  const Instant begin = system_clock().now();
  while (true) {
    if (const auto reply = TRY(stream.poll())) return *reply;
    const Duration waited = system_clock().now() - begin;
    if (waited > kPatience) return Error{Code::kTimedOut, "the model's enclave does not answer"};
    if (!asleep_ && waited < kSpin) continue;
    if (stream.arm()) ring(stream.bell());
    if (!asleep_) stream.disarm();
  }
}

// One call as the gateway makes it: the input is copied into the stream's memory, the result is
// looked at where it lies.
Result<TensorView> Caller::call(srpc::Caller& stream) {
  const infer::InferArgs args{0, stream.bulk_in().size(), 0, stream.bulk_out().size()};
  TRY(infer::write_tensors({&view_, 1}, stream.bulk_in()));
  (void)TRY(stream.call(static_cast<uint32_t>(infer::Call::kInfer), bytes_of(args)));
  const srpc::Reply reply = TRY(wait(stream));
  if (reply.code != 0) return Error{code_from(reply.code), "the model's enclave refused"};
  const auto outputs = TRY(infer::read_tensors(stream.bulk_out()));
  return outputs.front();
}

Result<Caller::Turn> Caller::turn(srpc::Caller& stream) {
  Kept kept(output_);
  const Instant begin = system_clock().now();
  TRY(executor_->run({&view_, 1}, kept));
  const Instant middle = system_clock().now();
  const TensorView apart = TRY(call(stream));
  const Instant end = system_clock().now();
  const Bytes inside(static_cast<const uint8_t*>(static_cast<const void*>(output_.data())),
                     output_.size() * sizeof(float));
  return Turn{nanoseconds(begin, middle), nanoseconds(middle, end),
              std::ranges::equal(inside, apart.data)};
}

Result<TurnsAnswer> Caller::measure(const TurnsQuestion& question) {
  if (!stream_) stream_.emplace(TRY(srpc::Caller::make(std::move(*end_))));
  asleep_ = question.asleep != 0;
  if (asleep_) static_cast<void>(stream_->arm());
  for (int i = 0; i < 10; ++i) (void)TRY(turn(*stream_));
  std::vector<double> inside;
  std::vector<double> apart;
  std::vector<double> extra;
  TurnsAnswer answer;
  for (uint32_t i = 0; i < question.runs; ++i) {
    const Turn taken = TRY(turn(*stream_));
    inside.push_back(taken.inside_ns);
    apart.push_back(taken.apart_ns);
    extra.push_back(taken.apart_ns - taken.inside_ns);
    if (!taken.same) ++answer.different;
  }
  answer.inside_ns = median(inside);
  answer.apart_ns = median(apart);
  answer.extra_ns = median(extra);
  return answer;
}

Status Caller::run(control::Socket control, const control::Message&) {
  executor_.emplace(TRY(engine::Executor::make(*model_)));
  Shape shape = model_->description().inputs[0].shape();
  if (shape.rank() > 0 && shape[0] == -1) shape[0] = 1;
  input_.resize(shape.element_count().value_or(0));
  for (size_t i = 0; i < input_.size(); ++i)
    input_[i] = static_cast<float>(i) / static_cast<float>(input_.size());
  const auto* data = static_cast<const uint8_t*>(static_cast<const void*>(input_.data()));
  view_ = {ElementType::kFloat32, shape, Bytes(data, input_.size() * sizeof(float))};
  while (!end_) {
    auto received = TRY(control.receive(-1));
    if (received.type() == control::Type::kConnect)
      end_.emplace(TRY(control::stream_end_of(received)));
  }
  Fd client;
  while (!client.valid()) {
    client = Fd(::accept4(kListener, nullptr, nullptr, 0));
    if (!client.valid()) ::poll(nullptr, 0, 10);
  }
  TurnsQuestion question;
  while (::recvfrom(client.number(), &question, sizeof question, 0, nullptr, nullptr) ==
         sizeof question) {
    const auto measured = measure(question);
    TurnsAnswer answer = measured.value_or(TurnsAnswer{});
    if (!measured) answer.code = static_cast<uint32_t>(measured.error().code);
    ::sendto(client.number(), &answer, sizeof answer, MSG_NOSIGNAL, nullptr, 0);
  }
  return {};
}

}  // namespace casemate::perf

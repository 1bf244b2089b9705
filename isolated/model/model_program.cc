// SPDX-License-Identifier: Apache-2.0
#include "isolated/model/model_program.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "base/mapping.h"
#include "isolated/sealed/unsealer.h"

namespace casemate::model {
namespace {

constexpr const char* kFolder = "/model";
constexpr const char* kFile = "/model/model.onnx";
constexpr const char* kSealedFile = "/model/model.sealed";
// What is left of the enclave's memory for the process itself, its stacks and the streams.
constexpr uint64_t kOverhead = 48ull << 20;

Result<Mapping> map_file(const char* path) {
  const Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0) return errno_error(path);
  if (facts.st_size == 0) return Error{Code::kInvalid, "the model file is empty"};
  return Mapping::shared(fd.number(), static_cast<size_t>(facts.st_size), false);
}

// Results go straight into the call's part of the outgoing bulk memory, behind a table that is
// written last.
class RegionSink final : public engine::OutputSink {
 public:
  RegionSink(MutableBytes region, size_t outputs) : region_(region), views_(outputs) {
    at_ = infer::first_offset(outputs);
  }

  Result<MutableBytes> memory(size_t output, ElementType type, const Shape& shape,
                              uint64_t bytes) override {
    if (at_ > region_.size() || bytes > region_.size() - at_) {
      return Error{Code::kTooLarge,
                   "the results do not fit in the memory that the stream has for one call"};
    }
    const MutableBytes place = region_.subspan(at_, bytes);
    views_[output] = {type, shape, place};
    at_ = infer::next_offset(at_ + bytes);
    return place;
  }

  void finish() { infer::write_table(views_, region_); }

 private:
  MutableBytes region_;
  std::vector<TensorView> views_;
  uint64_t at_ = 0;
};

// Both regions of a call, checked against the stream's memory.
Status check_regions(const infer::InferArgs& args, Bytes in, Bytes out) {
  const auto inside = [](uint64_t offset, uint64_t size, uint64_t total) {
    return offset <= total && size <= total - offset && offset % infer::kAlignment == 0;
  };
  if (inside(args.in_offset, args.in_bytes, in.size()) &&
      inside(args.out_offset, args.out_bytes, out.size()))
    return {};
  return Error{Code::kInvalid, "the call's memory lies outside the stream's"};
}

}  // namespace

Status ModelProgram::unlock(const control::Socket& control, const control::Message& manifest) {
  struct stat facts{};
  if (::stat(kSealedFile, &facts) != 0) return {};
  const Mapping file = TRY(map_file(kSealedFile));
  const auto unsealer = TRY(sealed::Unsealer::make(file.bytes()));
  if (manifest.memory_bytes < kOverhead + unsealer.bytes_to_open()) {
    return Error{
        Code::kTooLarge,
        formatted("the sealed model needs {} MiB to be opened, of {} that its enclave may "
                  "have: raise memory_mib",
                  ((kOverhead + unsealer.bytes_to_open()) >> 20) + 1, manifest.memory_bytes >> 20)};
  }
  const sealed::KeyRequest request = unsealer.request();
  const Bytes key = Bytes(request.public_key).first(request.public_key_bytes);
  auto locked = control::make(control::Type::kLocked, EnclaveId{manifest.enclave});
  locked.ticket = manifest.ticket;
  locked.key_sha256 = sha256(key);
  locked.key_sha384 = sha384(key);
  std::ranges::copy(bytes_of(request), locked.blob.begin());
  static_assert(sizeof request <= sizeof locked.blob);
  TRY(control.send(locked));
  while (true) {
    const auto received = TRY(control.receive(-1));
    if (received.type() == control::Type::kStop)
      return Error{Code::kCancelled, "told to stop before the model's key came"};
    if (received.type() != control::Type::kUnlock) continue;
    const control::Message& answer = received.message;
    if (answer.code != 0) return Error{code_from(answer.code), std::string(answer.reason.view())};
    unsealed_ = TRY(unsealer.open(load<sealed::WrappedKey>(answer.blob)));
    sealed_ = true;
    return {};
  }
}

// What is said of a model's nodes is for people, and these may not see a sealed one's.
Status ModelProgram::discreet(Status done) const {
  if (done || !sealed_) return done;
  const Code code = done.error().code;
  return Error{code,
               formatted("the sealed model does not load ({}); casemate check tells its owner "
                         "why, with the plain file",
                         name_of(code))};
}

Status ModelProgram::start(const control::Message& manifest) {
  return discreet(load_model(manifest));
}

Status ModelProgram::load_model(const control::Message& manifest) {
  const Instant begin = system_clock().now();
  // While it is loaded, a model that was sealed lies in memory twice.
  const uint64_t spare = manifest.memory_bytes - std::min(manifest.memory_bytes, unsealed_.size());
  file_ = sealed_ ? std::exchange(unsealed_, Mapping()) : TRY(map_file(kFile));
  engine::LoadOptions options;
  const ModelOptions said = TRY(ModelOptions::parse(options_));
  options.shapes = said.shapes;
  if (!options.shapes.empty()) options.batch_sizes.clear();
  options.directory = kFolder;
  options.threads = static_cast<int>(manifest.threads);
  options.operations_per_thread = engine::kOperationsPerThread;
  options.memory_bytes_max = spare > 2 * kOverhead ? spare - kOverhead : spare / 2;
  model_.emplace(TRY(engine::Model::load(file_, options)));
  if (!said.devices.empty()) {
    divided_ = TRY(DividedModel::make(file_, said, options));
  } else {
    file_ = {};
  }
  TRY(model_->seal());
  loading_ = system_clock().now() - begin;
  return {};
}

Status ModelProgram::prepare() {
  auto bound = engine::Executor::bind(*model_);
  if (!bound) return discreet(bound.error());
  executor_.emplace(*std::move(bound));
  return {};
}

Status ModelProgram::run(control::Socket control, const control::Message&) {
  TRY(executor_->try_threads());
  if (divided_) return run_divided(control);
  std::optional<srpc::Callee> callee;
  while (true) {
    if (!callee) {
      auto received = TRY(control.receive(-1));
      if (received.type() == control::Type::kStop) return {};
      if (received.type() != control::Type::kConnect) continue;
      // With worker threads the core of one of them means little.
      callee.emplace(TRY(srpc::Callee::make(TRY(control::stream_end_of(received)),
                                            {.meet = model_->threads() == 1})));
    }
    const auto request = callee->next(std::chrono::seconds(60));
    if (request) {
      serve(*callee, *request);
    } else if (request.error().code == Code::kPartitionFailed) {
      callee.reset();  // the monitor connects a new stream when there is somebody to call again
    }
  }
}

// With devices that come and go, the monitor is listened to between calls.
Status ModelProgram::run_divided(control::Socket& control) {
  constexpr Duration kListen = std::chrono::milliseconds(100);
  std::optional<srpc::Callee> callee;
  while (true) {
    while (auto received = TRY(control.poll())) {
      if (received->type() == control::Type::kStop) return {};
      take(*received, callee);
    }
    if (!callee) {
      auto received = TRY(control.receive(-1));
      if (received.type() == control::Type::kStop) return {};
      take(received, callee);
      continue;
    }
    const auto request = callee->next(kListen);
    if (request) {
      serve(*callee, *request);
    } else if (request.error().code == Code::kPartitionFailed) {
      callee.reset();
    }
  }
}

void ModelProgram::take(control::Received& received, std::optional<srpc::Callee>& callee) {
  const bool caller = received.message.role == static_cast<uint32_t>(control::Role::kCaller);
  const std::string name(received.message.name.view());
  if (received.type() == control::Type::kDisconnect) divided_->disconnect(name);
  if (received.type() != control::Type::kConnect) return;
  auto end = control::stream_end_of(received);
  if (end && caller) return divided_->connect(name, *std::move(end));
  auto made = end ? srpc::Callee::make(*std::move(end), {.meet = model_->threads() == 1})
                  : Result<srpc::Callee>(end.error());
  if (made) callee.emplace(*std::move(made));
}

void ModelProgram::serve(srpc::Callee& callee, const srpc::Request& request) {
  if (request.length != sizeof(infer::InferArgs))
    return static_cast<void>(callee.reply(Code::kInvalid));
  const auto args = load<infer::InferArgs>(request.args());
  Result<uint64_t> done = Error{Code::kUnsupported, "no such call"};
  if (const Status sound = check_regions(args, callee.bulk_in(), callee.bulk_out()); !sound) {
    done = sound.error();
  } else if (request.call == static_cast<uint32_t>(infer::Call::kDescribe)) {
    done = describe(callee, args);
  } else if (request.call == static_cast<uint32_t>(infer::Call::kInfer)) {
    done = infer(callee, args);
  }
  const infer::InferValue value{done.value_or(0)};
  static_cast<void>(callee.reply(done ? Code::kOk : done.error().code, bytes_of(value)));
}

Result<uint64_t> ModelProgram::describe(srpc::Callee& callee, const infer::InferArgs& args) const {
  if (args.out_bytes < sizeof(ModelDescription))
    return Error{Code::kTooLarge, "the description does not fit"};
  std::ranges::copy(bytes_of(model_->description()),
                    callee.bulk_out().subspan(args.out_offset).begin());
  return static_cast<uint64_t>(loading_.count());
}

Result<uint64_t> ModelProgram::infer(srpc::Callee& callee, const infer::InferArgs& args) {
  const auto inputs =
      TRY(infer::read_tensors(callee.bulk_in().subspan(args.in_offset, args.in_bytes)));
  const ModelDescription& facts = model_->description();
  const MutableBytes region = callee.bulk_out().subspan(args.out_offset, args.out_bytes);
  const Instant begin = system_clock().now();
  RegionSink divided(region, facts.output_count);
  if (divided_ && divided_->run(inputs, facts.batch_max != 0, divided, callee.progress())) {
    divided.finish();
  } else {
    RegionSink whole(region, facts.output_count);
    TRY(executor_->run(inputs, whole, &callee.progress()));
    whole.finish();
  }
  return static_cast<uint64_t>((system_clock().now() - begin).count());
}

}  // namespace casemate::model

// SPDX-License-Identifier: Apache-2.0
// What the processes of a SystemWorld do: as little as can be around the product's own code.
#include <algorithm>

#include "isolated/gateway/program/monitor_link.h"
#include "isolated/gateway/program/stream_channel.h"
#include "isolated/infer/infer.h"
#include "isolated/mos/mos.h"
#include "tests/simulation/liar.h"
#include "tests/simulation/system_world.h"

namespace casemate::simulation {
namespace {

using control::Message;
using control::Type;
using gateway::Inference;
using gateway::InferenceRequest;
using gateway::Model;

constexpr int64_t kWidth = 2;
// The numbers of which a float holds each.
using Numbers = std::array<float, kWidth>;

Machine& machine() { return Machine::here(); }
SystemWorld& world() { return SystemWorld::here(); }
void sleep_for(Duration duration) { machine().wait(Wait::kTime, machine().now() + duration); }

PortDescription port(std::string_view name) {
  PortDescription port;
  port.name = Text<128>::from(name);
  port.type = static_cast<uint32_t>(ElementType::kFloat32);
  port.rank = 2;
  port.dims[0] = -1;
  port.dims[1] = kWidth;
  return port;
}

ModelDescription description() {
  ModelDescription model;
  model.input_count = model.output_count = 1;
  model.batch_max = 8;
  model.inputs[0] = port("x");
  model.outputs[0] = port("y");
  return model;
}

// The whole of a model's program but its engine; see isolated/model/model_program.cc.
class DoublingModel final {
 public:
  explicit DoublingModel(size_t enclave) : enclave_(enclave) {}

  // False when it is to end.
  bool serve(srpc::Callee& callee, uint32_t stream, const srpc::Request& request) {
    if (request.length != sizeof(infer::InferArgs)) {
      static_cast<void>(callee.reply(Code::kInvalid));
      return true;
    }
    const auto args = load<infer::InferArgs>(request.args());
    Code code = Code::kOk;
    if (!within(args, callee)) {
      code = Code::kInvalid;
    } else if (request.call == static_cast<uint32_t>(infer::Call::kDescribe)) {
      const ModelDescription own = description();
      world().runs(enclave_, stream, callee.epoch(), request.sequence, 0);
      std::memcpy(callee.bulk_out().data() + args.out_offset, &own, sizeof own);
    } else {
      const auto done = infer(callee, stream, request.sequence, args);
      if (!done) return false;
      code = *done;
    }
    static_cast<void>(callee.reply(code, bytes_of(infer::InferValue{1})));
    return true;
  }

 private:
  static bool within(const infer::InferArgs& args, const srpc::Callee& callee) {
    const auto fits = [](uint64_t offset, uint64_t size, uint64_t whole) {
      return offset <= whole && size <= whole - offset && offset % infer::kAlignment == 0;
    };
    return fits(args.in_offset, args.in_bytes, callee.bulk_in().size()) &&
           fits(args.out_offset, args.out_bytes, callee.bulk_out().size()) &&
           args.out_bytes >= sizeof(ModelDescription);
  }

  // Nothing: it has ended of it.
  std::optional<Code> infer(srpc::Callee& callee, uint32_t stream, uint64_t sequence,
                            const infer::InferArgs& args) {
    const auto inputs =
        infer::read_tensors(callee.bulk_in().subspan(args.in_offset, args.in_bytes));
    if (!inputs || inputs->size() != 1 || inputs->front().data.size() != sizeof(Numbers)) {
      world().runs(enclave_, stream, callee.epoch(), sequence, 0);
      return Code::kInvalid;
    }
    Numbers x;
    std::memcpy(x.data(), inputs->front().data.data(), sizeof x);
    const uint64_t request = callee.failed() ? 0 : static_cast<uint64_t>(x[0]);
    if (world().runs(enclave_, stream, callee.epoch(), sequence, request)) return std::nullopt;
    if (machine().chance().one_in(3))
      sleep_for(machine().chance().between(Duration(0), milliseconds(3)));
    callee.progress().fetch_add(1, std::memory_order_relaxed);
    const Numbers y{x[0] * 2, static_cast<float>(callee.epoch().number)};
    const TensorView output{ElementType::kFloat32, {1, kWidth}, bytes_of(y)};
    const auto written = infer::write_tensors(
        std::span(&output, 1), callee.bulk_out().subspan(args.out_offset, args.out_bytes));
    return written ? Code::kOk : written.error().code;
  }

  size_t enclave_;
};

// Takes answers, and asks again and again.
class Clients final : public gateway::Answering {
 public:
  Answered answered(Model& model, Inference& inference, const Result<Outcome>& outcome) override {
    const uint64_t request = inference.call.connection;
    if (!outcome) {
      world().answered(request, outcome.error(), {}, false, model);
      return Answered::kDone;
    }
    Numbers y;
    std::memcpy(y.data(), outcome->outputs[0].data.data(), sizeof y);
    if (outcome->origin.failed()) return Answered::kVanished;
    const bool right = outcome->outputs.size() == 1 && y[0] == static_cast<float>(request) * 2;
    world().answered(request, request, {static_cast<uint32_t>(y[1])}, right, model);
    return Answered::kDone;
  }

  void ask(gateway::ModelTable& models, size_t index, bool deadly) {
    const std::array<std::string_view, SystemWorld::kEnclaves> names = {"", "a", "b", "c"};
    const auto model = models.find(names[index], "");
    if (!model) return;
    const uint64_t request = world().asking(index, deadly, **model);
    auto inference = std::make_unique<Inference>();
    inference->call.connection = static_cast<uint32_t>(request);
    inference->arrived = machine().now();
    inference->deadline = machine().now() + Model::kTimeout;
    const Numbers x{static_cast<float>(request), 0};
    const Bytes bytes = bytes_of(x);
    inference->request.decoded.emplace_back(bytes.begin(), bytes.end());
    inference->request.inputs.push_back(
        {ElementType::kFloat32, {1, kWidth}, inference->request.decoded[0]});
    if (!models.submit(**model, std::move(inference))) world().refused_at_once(request);
  }
};

// What a liar says to the monitor, by way of its runtime or as one.
Message nonsense(uint32_t enclave) {
  Chance& chance = machine().chance();
  Message message =
      control::make(static_cast<Type>(1 + chance.below(15)),
                    {chance.one_in(4) ? static_cast<uint32_t>(chance.next()) : enclave});
  message.stream = static_cast<uint32_t>(chance.below(5));
  message.code = static_cast<uint32_t>(chance.below(12));
  message.ticket = chance.below(3);
  return message;
}

// One that has been taken over, until somebody ends it.
void lie(const control::Socket& control, uint32_t enclave) {
  std::optional<srpc::StreamEnd> end;
  std::optional<Liar> liar;
  while (true) {
    auto received = control.poll();
    if (!received) return;
    if (*received && (*received)->type() == Type::kConnect) {
      auto taken = control::stream_end_of(**received);
      if (!taken) continue;
      liar.reset();
      end = *std::move(taken);
      const bool calls = (*received)->message.role == static_cast<uint32_t>(control::Role::kCaller);
      liar.emplace(calls ? end->requests : end->replies,
                   ring::Geometry{end->slots, sizeof(srpc::Request)}, end->epoch,
                   calls ? end->bulk_in : end->bulk_out);
    }
    if (liar) liar->lie();
    if (machine().chance().one_in(200)) static_cast<void>(control.send(nonsense(enclave)));
    sleep_for(machine().chance().between(Duration(0), milliseconds(2)));
  }
}

}  // namespace

void run_runtime(int socket, int heartbeat) {
  control::Socket monitor{Fd(socket)};
  if (world().lies(machine().owner())) {
    while (monitor.send(nonsense(static_cast<uint32_t>(machine().chance().below(4))))) {
      sleep_for(milliseconds(2));
      static_cast<void>(monitor.poll());
    }
    return;
  }
  const Fd beat(heartbeat);
  auto page = Mapping::shared(beat.number(), 4096);
  if (!page) return;
  mos::Mos mos(std::move(monitor), *std::move(page));
  static_cast<void>(mos.run());
}

void run_template(size_t enclave, int socket) {
  const control::Socket control{Fd(socket)};
  const auto hello = control.receive(10'000);
  if (!hello || hello->type() != Type::kManifest) return;
  sleep_for(world().loading_time());
  if (!control.send(control::make(Type::kReady, {hello->message.enclave}))) return;
  ProcessId instance = 0;
  while (true) {
    auto received = control.receive(-1);
    if (!received || received->type() == Type::kStop) return;
    if (received->type() != Type::kFork || received->fds.empty()) continue;
    const Instant give_up = machine().now() + seconds(2);
    while (machine().find(instance) != nullptr) {
      if (machine().now() > give_up) return;
      sleep_for(microseconds(200));
    }
    instance = world().start_instance(enclave, machine().owner(), received->fds[0].release(),
                                      hello->message);
  }
}

void run_model(size_t enclave, int socket) {
  const control::Socket control{Fd(socket)};
  const auto self =
      EnclaveId::of({static_cast<uint8_t>(enclave == 3 ? 3 : 2)}, static_cast<uint32_t>(enclave));
  if (!control.send(control::make(Type::kRunning, self))) return;
  if (world().lies(machine().owner())) return lie(control, self.number);
  DoublingModel model(enclave);
  std::optional<srpc::Callee> callee;
  uint32_t stream = 0;
  while (true) {
    if (!callee) {
      auto received = control.receive(-1);
      if (!received || received->type() == Type::kStop) return;
      if (received->type() != Type::kConnect) continue;
      auto end = control::stream_end_of(*received);
      if (!end) return;
      stream = end->id.number;
      auto made = srpc::Callee::make(*std::move(end), {.meet = machine().chance().one_in(2)});
      if (!made) return;
      callee.emplace(*std::move(made));
    }
    const auto request = callee->next(seconds(60));
    if (request) {
      if (!model.serve(*callee, stream, *request)) return;
    } else if (request.error().code == Code::kPartitionFailed) {
      callee.reset();
    }
  }
}

// As GatewayProgram::serve(), without the server in front of it.
void run_gateway(int socket, const Message& manifest) {
  control::Socket control{Fd(socket)};
  if (!control.send(control::make(Type::kRunning, {manifest.enclave}))) return;
  if (world().lies(machine().owner())) return lie(control, manifest.enclave);
  world().gateway_started();
  auto loop = gateway::Loop::make(machine());
  if (!loop) return;
  gateway::MonitorLink link(**loop, std::move(control), manifest);
  Clients clients;
  gateway::ModelTable models(**loop, clients);
  if (!link.open(models, [](const gateway::CarriedEvidence&) { return Status(); })) return;
  Chance& chance = machine().chance();
  std::optional<gateway::Loop::Timer> timer;
  timer.emplace(**loop, [&] {
    const bool deadly = !world().calm() && chance.one_in(60);
    const auto model = static_cast<size_t>(1 + chance.below(3));
    for (uint64_t i = chance.below(4); world().asks() && i > 0; --i)
      clients.ask(models, model, deadly);
    timer->set((*loop)->now() + chance.between(microseconds(200), milliseconds(6)));
  });
  timer->set((*loop)->now());
  static_cast<void>((*loop)->run());
}

}  // namespace casemate::simulation

// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/describe.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <map>
#include <thread>

#include "base/format.h"
#include "outside/launch/accelerators.h"
#include "outside/launch/builder.h"
#include "wire/abi/share.h"

namespace casemate::launch {
namespace {

constexpr uint64_t kMib = 1 << 20;
// The mOS itself; see trusted/monitor/launcher.cc.
constexpr uint64_t kMosMib = 64;
constexpr uint32_t kGatewayProcesses = 16;
// What memory_mib must be at least, and so a share of it.
constexpr uint64_t kShareMibMin = 64;
// Of a gateway's memory one half is for what clients send and have not fetched, encrypted or not;
// the other for the connections themselves: 64 KiB each are OpenSSL's 28, a record of 17 that is
// there in part, a head of 16, and 3 to spare.
constexpr uint32_t kBodiesShare = 2;
constexpr uint32_t kConnectionsPerMib = 1024 / 2 / 64;
// Of a device's enclave: queues, and one that counts while it compiles.
constexpr uint32_t kDeviceThreads = 8;
// Of what crosses between two pieces, several at once.
constexpr uint32_t kDeviceStreamMib = 32;

class Describer final {
 public:
  explicit Describer(const SystemFile& file) : file_(file), d_(b_.description()) {}

  Status add_programs(const std::string& folder) {
    mos_ = TRY(b_.add_own_program("mos", folder));
    gateway_ = TRY(b_.add_own_program("gateway", folder));
    model_ = TRY(b_.add_own_program("model", folder));
    return {};
  }

  Status add_gateway() {
    const GatewaySettings& g = file_.gateway;
    PartitionSettings settings = file_.defaults;
    settings.name = "gateway";
    settings.memory_mib = g.memory_mib;
    settings.cores.clear();
    settings.cpu_percent = 0;
    settings.standby = g.standby;
    const uint32_t partition =
        TRY(add_partition(settings, DeviceKind::kNone, g.memory_mib, kGatewayProcesses, 0));
    EnclaveDescription& e = TRY(next_enclave());
    e.name = Text<limits::kName>::from("gateway");
    e.partition = partition;
    e.kind = static_cast<uint32_t>(EnclaveKind::kGateway);
    e.program = gateway_;
    e.flags = file_.defaults.debug ? EnclaveDescription::kDebug : 0;
    e.memory_bytes = g.memory_mib * kMib;
    e.processes_max = kGatewayProcesses;
    const uint32_t buffered_mib = g.memory_mib / kBodiesShare;
    if (g.request_mib > buffered_mib / 2) {
      return Error{
          Code::kInvalid,
          formatted("gateway.request_mib is {}, but of the gateway's {} MiB one request may have "
                    "only {}: lower it, or raise gateway.memory_mib",
                    g.request_mib, g.memory_mib, buffered_mib / 2)};
    }
    e.options = Text<EnclaveDescription::kOptions>::from(
        formatted("connections_max={};request_mib={};idle_timeout_s={};buffered_mib={}{}",
                  std::min(g.connections_max, g.memory_mib * kConnectionsPerMib), g.request_mib,
                  g.idle_timeout_s, buffered_mib,
                  g.classical_key_exchange ? ";classical_key_exchange=1" : ""));
    return {};
  }

  Status add_models(const PartitionSettings& settings, std::span<const ModelFiles> models) {
    TRY(check_cores(settings));
    const std::vector<Part> parts = TRY(parts_of(settings, models));
    uint32_t processes = 0;
    uint32_t slowest = settings.cpu_percent;
    for (const Part& part : parts) {
      processes += part.processes;
      if (part.share != 0 && (slowest == 0 || part.cpu_percent < slowest))
        slowest = part.cpu_percent;
    }
    const uint32_t partition = TRY(add_partition(
        settings, DeviceKind::kCpu, settings.memory_mib * models.size(), processes, slowest));
    for (size_t i = 0; i < models.size(); ++i)
      TRY(add_model(settings, partition, models[i], parts[i]));
    return {};
  }

  // The partition of an accelerator, with an enclave for each model that runs pieces on it.
  Status add_device(const PartitionSettings& s, const std::string& programs,
                    std::span<const std::string> models) {
    const AcceleratorName device = accelerator_named(s.device).value();
    const Accelerator& a = *device.accelerator;
    if (s.memory_mib < a.memory_mib_min) {
      return Error{Code::kInvalid,
                   formatted("{}: an enclave of {} has {} MiB of memory, and needs {} at least; "
                             "raise memory_mib of its partition",
                             s.place.empty() ? "the defaults" : s.place, s.device, s.memory_mib,
                             a.memory_mib_min)};
    }
    const std::string name = formatted("casemate-{}", a.program);
    const auto files =
        TRY(placed_device_program(a, formatted("{}/{}", programs, name), "/bin/" + name));
    const uint32_t program = TRY(b_.add_program(std::string(a.program), files));
    const uint32_t processes = 2 * (threads_of(s) + kDeviceThreads) + a.processes;
    const uint32_t partition =
        TRY(add_partition(s, a.device, s.memory_mib * models.size(),
                          static_cast<uint32_t>(processes * models.size()), s.cpu_percent));
    d_.partitions[partition].device.index = device.number;
    for (const std::string& model : models)
      TRY(add_device_enclave(s, device, {partition, program, processes}, model));
    return {};
  }

  std::unique_ptr<SystemDescription> take() { return b_.take(); }

 private:
  // Of a partition, what one of its models gets.
  struct Part {
    uint32_t share = 0;
    uint32_t cpu_percent = 0;  // of one core, with a share
    uint32_t threads = 0;
    uint32_t processes = 0;
    uint64_t memory_mib = 0;
  };

  [[nodiscard]] const ModelSettings* settings_of(const std::string& model) const {
    const auto found = std::ranges::find(file_.models, model, &ModelSettings::name);
    return found == file_.models.end() ? nullptr : &*found;
  }

  Result<std::reference_wrapper<EnclaveDescription>> next_enclave() {
    return b_.next(d_.enclaves, d_.enclave_count, "enclaves");
  }

  // The kernel would refuse the partition's group, again at each of its restarts.
  static Status check_cores(const PartitionSettings& settings) {
    const long there = ::sysconf(_SC_NPROCESSORS_CONF);
    for (const uint32_t core : settings.cores) {
      if (static_cast<long>(core) < there) continue;
      return Error{Code::kInvalid,
                   formatted("{}: partition '{}' is to run on core {}, but this machine has cores "
                             "0 to {}; name cores among these",
                             settings.place, settings.name, core, there - 1)};
    }
    return {};
  }

  Result<std::vector<Part>> parts_of(const PartitionSettings& settings,
                                     std::span<const ModelFiles> models) const {
    std::vector<uint32_t> shares;
    for (const ModelFiles& model : models) {
      const ModelSettings* said = settings_of(model.name);
      shares.push_back(said != nullptr ? said->share : 0);
    }
    TRY(check_shares(settings, models, shares));
    uint64_t cores = 0;
    for (const uint32_t core : settings.cores) cores |= uint64_t{1} << core;
    const auto allotments = allot(cores != 0 ? cores : cores_here(), settings.cpu_percent, shares);
    std::vector<Part> parts;
    for (size_t i = 0; i < models.size(); ++i) {
      Part part;
      part.share = shares[i];
      part.cpu_percent = allotments[i].cpu_percent;
      part.threads = threads_of(settings);
      part.memory_mib = settings.memory_mib;
      if (part.share != 0) {
        if (settings.threads == 0) part.threads = allotments[i].cores();
        part.memory_mib = settings.memory_mib * models.size() * part.share / 100;
        TRY(check_part(settings, models[i], part));
      }
      // A template, an instance with its threads and one thread's worth of room.
      part.processes = 2 * (part.threads + 4);
      parts.push_back(part);
    }
    return parts;
  }

  Status check_shares(const PartitionSettings& settings, std::span<const ModelFiles> models,
                      std::span<const uint32_t> shares) const {
    uint32_t percent = 0;
    for (size_t i = 0; i < models.size(); ++i) {
      percent += shares[i];
      const auto other = std::ranges::find_if(shares, [](uint32_t share) { return share != 0; });
      if (shares[i] != 0 || other == shares.end()) continue;
      const std::string& sharer = models[static_cast<size_t>(other - shares.begin())].name;
      return Error{Code::kInvalid,
                   formatted("{}: model '{}' has a share of partition '{}', and '{}', which is "
                             "there too, has none; give all its models one, or none",
                             settings_of(sharer)->place, sharer, settings.name, models[i].name)};
    }
    if (percent <= 100) return {};
    return Error{Code::kInvalid,
                 formatted("{}: the shares of the models of partition '{}' come to {} %, and 100 % "
                           "is all there is; lower them, or move a model to another partition",
                           settings.place, settings.name, percent)};
  }

  // A share that is too little for its model is known before anything starts, but for what the
  // model computes with.
  Status check_part(const PartitionSettings& settings, const ModelFiles& model,
                    const Part& part) const {
    const std::string& place = settings_of(model.name)->place;
    if (part.cpu_percent == 0) {
      return Error{Code::kInvalid,
                   formatted("{}: model '{}' has {} % of partition '{}', which may use {} % of one "
                             "core, and that is below 1 %; raise its share or cpu_percent",
                             place, model.name, part.share, settings.name, settings.cpu_percent)};
    }
    uint64_t bytes = 0;
    for (const std::string& name : model.files) {
      std::error_code absent;
      const uint64_t size = std::filesystem::file_size(model.folder + "/" + name, absent);
      if (!absent) bytes += size;
    }
    const uint64_t needed = std::max<uint64_t>(kShareMibMin, bytes / kMib);
    if (part.memory_mib >= needed) return {};
    return Error{Code::kInvalid,
                 formatted("{}: model '{}' has {} % of partition '{}', {} MiB of its memory, and "
                           "needs {} for its files alone, and {} at least; raise its share or "
                           "memory_mib",
                           place, model.name, part.share, settings.name, part.memory_mib,
                           bytes / kMib, kShareMibMin)};
  }

  // A model counts its progress by steps, and with a share of one core each takes as much longer.
  static uint32_t patience_ms(uint32_t cpu_percent, uint64_t of_a_whole_core) {
    const uint64_t share = cpu_percent == 0 ? 100 : std::min(cpu_percent, 100u);
    return static_cast<uint32_t>(
        std::min<uint64_t>(of_a_whole_core * 100 / share, limits::kRestartMs));
  }

  static uint32_t threads_of(const PartitionSettings& settings) {
    if (settings.threads != 0) return settings.threads;
    if (!settings.cores.empty()) return static_cast<uint32_t>(settings.cores.size());
    return std::clamp(std::thread::hardware_concurrency(), 1u, limits::kThreads);
  }

  // `slowest` is the least quota of an enclave in it, in percent of a core; 0 for none.
  Result<uint32_t> add_partition(const PartitionSettings& s, DeviceKind device, uint64_t memory_mib,
                                 uint32_t processes, uint32_t slowest) {
    PartitionDescription& p = TRY(b_.next(d_.partitions, d_.partition_count, "partitions"));
    p.name = Text<limits::kName>::from(s.name);
    p.device.kind = static_cast<uint32_t>(device);
    p.device.cpu_percent = s.cpu_percent;
    for (const uint32_t core : s.cores) p.device.cpu_mask |= uint64_t{1} << core;
    p.program = mos_;
    // A standby is a second tree of processes under the same limits.
    const uint32_t trees = s.standby ? 2 : 1;
    p.standby = s.standby ? 1 : 0;
    p.processes_max = trees * (processes + 4);
    p.memory_bytes = trees * (memory_mib + kMosMib) * kMib;
    p.backoff_ms_first = s.restart.backoff_ms_first;
    p.backoff_ms_max = s.restart.backoff_ms_max;
    p.failures_max = s.restart.failures_max;
    p.stable_ms = s.restart.stable_ms;
    p.hang_ms = patience_ms(slowest, s.restart.hang_ms);
    p.load_ms = patience_ms(slowest, s.restart.load_ms);
    return d_.partition_count - 1;
  }

  Status add_model(const PartitionSettings& s, uint32_t partition, const ModelFiles& model,
                   const Part& part) {
    const uint32_t index = d_.enclave_count;
    enclaves_[model.name] = index;
    EnclaveDescription& e = TRY(next_enclave());
    e.name = Text<limits::kName>::from(model.name);
    e.partition = partition;
    e.kind = static_cast<uint32_t>(EnclaveKind::kModel);
    e.program = model_;
    e.flags = s.debug ? EnclaveDescription::kDebug : 0;
    if (model.sealed()) e.flags |= EnclaveDescription::kSealed;
    e.model_version = model.version;
    e.threads = part.threads;
    e.memory_bytes = part.memory_mib * kMib;
    e.processes_max = part.processes;
    e.share = part.share;
    TRY(set_options(e, model.name));
    e.first_file = d_.file_count;
    for (const std::string& name : model.files) {
      ImageDescription& file = TRY(b_.next(d_.files, d_.file_count, "model files"));
      TRY(b_.place(file, {model.folder + "/" + name, name}));
      ++e.file_count;
    }
    StreamDescription& stream = TRY(b_.next(d_.streams, d_.stream_count, "streams"));
    stream.caller = 0;  // the gateway is the first enclave
    stream.callee = index;
    stream.regions = s.calls_in_flight;
    stream.slots = std::bit_ceil(s.calls_in_flight);
    stream.bulk_in_bytes = stream.bulk_out_bytes = s.calls_in_flight * s.request_mib * kMib;
    // Pages count for whom touches them first: the gateway writes every request, and the model
    // every answer. Once per stream and not per tree, since a standby has no streams.
    charge(0, stream.bulk_in_bytes);
    charge(index, stream.bulk_out_bytes);
    return {};
  }

  // As isolated/model reads them: shape=batch:8,sequence:128;shape=...;cut=...
  Status set_options(EnclaveDescription& e, const std::string& name) {
    const ModelSettings* settings = settings_of(name);
    if (settings == nullptr) return {};
    std::string options;
    for (const ModelSettings::Shape& shape : settings->shapes) {
      options += options.empty() ? "shape=" : ";shape=";
      for (const auto& [extent, value] : shape)
        options += formatted("{}{}:{}", options.ends_with('=') ? "" : ",", extent, value);
    }
    if (!settings->cut.empty())
      options += formatted("{}cut={}", options.empty() ? "" : ";", settings->cut);
    if (options.size() >= EnclaveDescription::kOptions) {
      return Error{
          Code::kTooLarge,
          formatted("{}: the {} of model '{}' take {} characters of at most {}; "
                    "name fewer",
                    settings->place, settings->cut.empty() ? "shapes" : "shapes and the cut", name,
                    options.size(), EnclaveDescription::kOptions - 1)};
    }
    e.options = Text<EnclaveDescription::kOptions>::from(options);
    return {};
  }

  struct DeviceEnclave {
    uint32_t partition;
    uint32_t program;
    uint32_t processes;
  };

  Status add_device_enclave(const PartitionSettings& s, const AcceleratorName& device,
                            const DeviceEnclave& its, const std::string& model) {
    EnclaveDescription& e = TRY(next_enclave());
    const std::string name = formatted("{}@{}", model, s.device);
    if (name.size() >= limits::kName) {
      return Error{Code::kTooLarge,
                   formatted("model '{}': its name is too long for its enclave at {}, which is "
                             "named after both; shorten it",
                             model, s.device)};
    }
    e.name = Text<limits::kName>::from(name);
    e.partition = its.partition;
    e.kind = static_cast<uint32_t>(EnclaveKind::kDevice);
    e.program = its.program;
    e.flags = s.debug ? EnclaveDescription::kDebug : 0;
    e.threads = threads_of(s);
    e.memory_bytes = s.memory_mib * kMib;
    e.scratch_bytes =
        std::min<uint64_t>(device.accelerator->scratch_mib_max, s.memory_mib / 4) * kMib;
    e.processes_max = its.processes;
    e.options = Text<EnclaveDescription::kOptions>::from(formatted("device={}", device.number));
    StreamDescription& stream = TRY(b_.next(d_.streams, d_.stream_count, "streams"));
    stream.caller = enclaves_.at(model);
    stream.callee = d_.enclave_count - 1;
    stream.slots = limits::kStreamSlots;
    stream.regions = 1;
    stream.bulk_in_bytes = stream.bulk_out_bytes =
        std::max(kDeviceStreamMib, 2 * s.request_mib) * kMib;
    charge(stream.caller, stream.bulk_in_bytes);
    charge(stream.callee, stream.bulk_out_bytes);
    return {};
  }

  void charge(uint32_t enclave, uint64_t bytes) {
    d_.enclaves[enclave].memory_bytes += bytes;
    d_.partitions[d_.enclaves[enclave].partition].memory_bytes += bytes;
  }

  const SystemFile& file_;
  Builder b_;
  SystemDescription& d_;
  std::map<std::string, uint32_t> enclaves_;  // of models
  uint32_t mos_ = 0;
  uint32_t gateway_ = 0;
  uint32_t model_ = 0;
};

// Behind whoever names a model that is not there.
std::string missing_from(const std::vector<ModelFiles>& models) {
  std::string names;
  for (const ModelFiles& model : models)
    names += formatted("{}{}", names.empty() ? "" : ", ", model.name);
  return formatted("which is not in the repository; it holds {}", names);
}

Result<ModelFiles> find_model(const std::vector<ModelFiles>& models, const std::string& name,
                              const PartitionSettings& partition) {
  const auto found = std::ranges::find(models, name, &ModelFiles::name);
  if (found != models.end()) return *found;
  return Error{Code::kInvalid,
               formatted("{}: partition '{}' serves the model '{}', {}", partition.place,
                         partition.name, name, missing_from(models))};
}

Status check_named(const SystemFile& file, const std::vector<ModelFiles>& models) {
  for (const ModelSettings& settings : file.models) {
    if (std::ranges::contains(models, settings.name, &ModelFiles::name)) continue;
    return Error{Code::kInvalid, formatted("{}: a table is for the model '{}', {}", settings.place,
                                           settings.name, missing_from(models))};
  }
  return {};
}

// The settings of the partition that a model gets which no partition of the file serves.
Result<PartitionSettings> own_partition(const SystemFile& file, const std::string& model) {
  const auto same = std::ranges::find(file.partitions, model, &PartitionSettings::name);
  if (same != file.partitions.end()) {
    return Error{Code::kInvalid,
                 formatted("{}: partition '{}' has the name of a model that no partition serves, "
                           "so that model's own is called the same; rename the partition, or let "
                           "it serve '{}'",
                           same->place, same->name, model)};
  }
  PartitionSettings own = file.defaults;
  own.name = model;
  return own;
}

// Devices beside the processor that cuts have, and whose.
std::map<std::string, std::vector<std::string>> devices_of(const SystemFile& file) {
  std::map<std::string, std::vector<std::string>> users;
  for (const ModelSettings& model : file.models) {
    std::string_view names = std::string_view(model.cut).substr(0, model.cut.find('/'));
    while (!names.empty()) {
      const std::string_view name = names.substr(0, names.find(','));
      names.remove_prefix(std::min(name.size() + 1, names.size()));
      if (name != PartitionSettings().device) users[std::string(name)].push_back(model.name);
    }
  }
  return users;
}

// Its partition in the file, or one of its own.
PartitionSettings partition_with(const SystemFile& file, const std::string& device) {
  const auto named = std::ranges::find(file.partitions, device, &PartitionSettings::device);
  if (named != file.partitions.end()) return *named;
  PartitionSettings own = file.defaults;
  own.device = own.name = device;
  std::ranges::replace(own.name, ':', '-');
  return own;
}

}  // namespace

Result<std::unique_ptr<SystemDescription>> describe(const SystemFile& file,
                                                    const std::vector<ModelFiles>& models,
                                                    const std::string& programs) {
  TRY(check_named(file, models));
  Describer describer(file);
  TRY(describer.add_programs(programs));
  TRY(describer.add_gateway());
  std::map<std::string, std::string> placed;
  for (const PartitionSettings& partition : file.partitions) {
    if (partition.device != PartitionSettings().device) continue;
    std::vector<ModelFiles> served;
    for (const std::string& name : partition.models) {
      const auto [earlier, fresh] = placed.emplace(name, partition.name);
      if (!fresh)
        return Error{Code::kInvalid,
                     formatted("{}: partition '{}' serves the model '{}', which partition '{}' "
                               "serves already; name it in one of them",
                               partition.place, partition.name, name, earlier->second)};
      served.push_back(TRY(find_model(models, name, partition)));
    }
    TRY(describer.add_models(partition, served));
  }
  for (const ModelFiles& model : models) {
    if (placed.contains(model.name)) continue;
    const PartitionSettings own = TRY(own_partition(file, model.name));
    TRY(describer.add_models(own, std::span(&model, 1)));
  }
  for (const auto& [device, users] : devices_of(file))
    TRY(describer.add_device(partition_with(file, device), programs, users));
  return describer.take();
}

}  // namespace casemate::launch

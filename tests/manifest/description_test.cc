// SPDX-License-Identifier: Apache-2.0
// The flat description as a hostile launcher could write it: one field of a right one is wrong, and
// the monitor's check refuses it by its name.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>

#include "tests/manifest/scratch.h"
#include "wire/abi/system.h"

namespace casemate::tests {
namespace {

constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMost64 = std::numeric_limits<uint64_t>::max();

void add_program(SystemDescription& d, const std::string& name) {
  ProgramDescription& program = d.programs[d.program_count++];
  program = {Text<limits::kName>::from(name), d.image_count, 2};
  d.images[d.image_count++] = {Text<limits::kPath>::from("/build/" + name),
                               Text<limits::kPath>::from("/bin/" + name)};
  d.images[d.image_count++] = {Text<limits::kPath>::from("/lib64/loader"),
                               Text<limits::kPath>::from("/lib64/loader")};
}

void add_partition(SystemDescription& d, const std::string& name, DeviceKind device) {
  PartitionDescription& p = d.partitions[d.partition_count++];
  p.name = Text<limits::kName>::from(name);
  p.device.kind = static_cast<uint32_t>(device);
  p.processes_max = 64;
  p.memory_bytes = 512 << 20;
  p.backoff_ms_first = 100;
  p.backoff_ms_max = 1000;
  p.failures_max = 8;
  p.stable_ms = 1000;
  p.hang_ms = 1000;
  p.load_ms = 1000;
}

void add_enclave(SystemDescription& d, const std::string& name, EnclaveKind kind,
                 uint32_t partition) {
  EnclaveDescription& e = d.enclaves[d.enclave_count++];
  e.name = Text<limits::kName>::from(name);
  e.kind = static_cast<uint32_t>(kind);
  e.partition = partition;
  e.program = 1;
  e.memory_bytes = 256 << 20;
  e.processes_max = 8;
  if (kind != EnclaveKind::kModel) return;
  e.model_version = 1;
  e.first_file = d.file_count;
  e.file_count = 2;
  for (const std::string file : {"model.onnx", "weights"}) {
    d.files[d.file_count++] = {Text<limits::kPath>::from("/models/" + name + "/1/" + file),
                               Text<limits::kPath>::from(file)};
  }
  d.streams[d.stream_count++] = {0, d.enclave_count - 1, 8, 8, 1 << 20, 1 << 20};
}

// 2 programs of 2 images, 2 partitions, a gateway, 2 models with 2 files and a stream each.
std::unique_ptr<SystemDescription> right_description() {
  auto d = std::make_unique<SystemDescription>();
  add_program(*d, "mos");
  add_program(*d, "model");
  add_partition(*d, "gateway", DeviceKind::kNone);
  add_partition(*d, "models", DeviceKind::kCpu);
  add_enclave(*d, "gateway", EnclaveKind::kGateway, 0);
  add_enclave(*d, "digits", EnclaveKind::kModel, 1);
  add_enclave(*d, "letters", EnclaveKind::kModel, 1);
  d->enclaves[0].options = Text<EnclaveDescription::kOptions>::from("connections_max=1");
  return d;
}

template <size_t N>
void leave_open(Text<N>& text) {
  text.characters.fill('x');
}

template <size_t N>
void hide_behind_end(Text<N>& text) {
  text.characters[N - 2] = 'x';
}

struct Corruption {
  std::string name;
  std::function<void(SystemDescription&)> corrupt;
  std::string expected;
  Code code = Code::kInvalid;
};
using D = SystemDescription;

const std::string kFormat =
    "the system description has another format: start monitor and command of one build";

std::vector<Corruption> corrupt_heads() {
  const auto full = [](const std::string& what, size_t room) {
    return "system description: counts " + std::to_string(room + 1) + " " + what +
           ", but has room for " + std::to_string(room) + "; describe fewer";
  };
  const std::string none =
      "system description: has no partition or no enclave; describe one to start";
  return {
      {"magic", [](D& d) { d.magic ^= 1; }, kFormat},
      {"older_version", [](D& d) { d.version = 0; }, kFormat},
      {"newer_version", [](D& d) { ++d.version; }, kFormat},
      {"all_ones", [](D& d) { std::ranges::fill(mutable_bytes_of(d), uint8_t{0xFF}); }, kFormat},
      {"all_zeros", [](D& d) { std::ranges::fill(mutable_bytes_of(d), uint8_t{0}); }, kFormat},
      {"root_unknown", [](D& d) { d.root = 5; },
       "system description: root 5 is unknown to this build; name one up to 4"},
      {"image_count", [](D& d) { d.image_count = 385; }, full("images", 384), Code::kTooLarge},
      {"program_count", [](D& d) { d.program_count = 9; }, full("programs", 8), Code::kTooLarge},
      {"partition_count", [](D& d) { d.partition_count = 65; }, full("partitions", 64),
       Code::kTooLarge},
      {"enclave_count", [](D& d) { d.enclave_count = 129; }, full("enclaves", 128),
       Code::kTooLarge},
      {"stream_count", [](D& d) { d.stream_count = 257; }, full("streams", 256), Code::kTooLarge},
      {"file_count", [](D& d) { d.file_count = 513; }, full("files", 512), Code::kTooLarge},
      {"file_count_most", [](D& d) { d.file_count = kMost; },
       "system description: counts 4294967295 files, but has room for 512; describe fewer",
       Code::kTooLarge},
      {"no_partition", [](D& d) { d.partition_count = 0; }, none},
      {"no_enclave", [](D& d) { d.enclave_count = 0; }, none},
  };
}

std::vector<Corruption> corrupt_images() {
  const std::string source =
      "system description, image 1: the source must be a canonical absolute path";
  const std::string target =
      "system description, image 1: the target must be a canonical absolute path";
  const std::string model =
      "system description, image 1: the target is in /model, which must be left to model files";
  const std::string file = "system description, file 1: the target must be a plain file name";
  std::vector<Corruption> list = {
      {"image_source_open", [](D& d) { leave_open(d.images[1].source); }, source},
      {"image_source_hidden", [](D& d) { hide_behind_end(d.images[1].source); }, source},
      {"image_target_open", [](D& d) { leave_open(d.images[1].target); }, target},
      {"image_target_hidden", [](D& d) { hide_behind_end(d.images[1].target); }, target},
      {"file_source_open", [](D& d) { leave_open(d.files[1].source); },
       "system description, file 1: the source must be a canonical absolute path"},
      {"file_source_relative", [](D& d) { d.files[1].source = Text<256>::from("models/m"); },
       "system description, file 1: the source must be a canonical absolute path"},
      {"file_target_open", [](D& d) { leave_open(d.files[1].target); }, file},
  };
  int number = 0;
  for (const char* path :
       {"", "bin/model", "/", "//bin", "/bin/", "/./bin", "/bin/..", "/a/../b"}) {
    const auto text = Text<limits::kPath>::from(path);
    const std::string suffix = std::to_string(number++);
    list.push_back(
        {"image_source_bad_" + suffix, [text](D& d) { d.images[1].source = text; }, source});
    list.push_back(
        {"image_target_bad_" + suffix, [text](D& d) { d.images[1].target = text; }, target});
  }
  for (const char* path : {"/model", "/model/model.onnx"}) {
    const auto text = Text<limits::kPath>::from(path);
    list.push_back({"image_target_bad_" + std::to_string(number++),
                    [text](D& d) { d.images[1].target = text; }, model});
  }
  for (const char* name : {"", ".", "..", "a/b", "a b", "a\nb", "a\\b", "m\x80"}) {
    const auto text = Text<limits::kPath>::from(name);
    list.push_back({"file_target_bad_" + std::to_string(number++),
                    [text](D& d) { d.files[1].target = text; }, file});
  }
  return list;
}

std::vector<Corruption> corrupt_programs() {
  const std::string at = "system description, program 1: ";
  const std::string images = at + "its images must be at least one of the list";
  const std::string name = at + "the name must be 1 to 63 printable characters without a slash";
  return {
      {"program_name_open", [](D& d) { leave_open(d.programs[1].name); }, name},
      {"program_name_empty", [](D& d) { d.programs[1].name = {}; }, name},
      {"program_name_twice", [](D& d) { d.programs[1].name = d.programs[0].name; },
       at + "the name must not be another program's"},
      {"program_without_images", [](D& d) { d.programs[1].image_count = 0; }, images},
      {"program_first_image", [](D& d) { d.programs[1].first_image = 4; }, images},
      {"program_first_image_most", [](D& d) { d.programs[1].first_image = kMost; }, images},
      {"program_image_count", [](D& d) { d.programs[1].image_count = 3; }, images},
      {"program_image_count_most", [](D& d) { d.programs[1].image_count = kMost; }, images},
      {"program_images_wrap",
       [](D& d) {
         d.programs[1].first_image = 2;
         d.programs[1].image_count = kMost - 1;
       },
       images},
      {"program_target_twice", [](D& d) { d.images[3].target = d.images[2].target; },
       at + "two of its images have the same target; each needs its own"},
  };
}

std::vector<Corruption> corrupt_devices() {
  const std::string at = "system description, partition 1: ";
  return {
      {"device_kind", [](D& d) { d.partitions[1].device.kind = 4; },
       at + "device kind 4 is unknown to this build; name 0 (none), 1 (cpu), 2 (opencl) or 3 "
            "(npu)"},
      {"device_index_opencl",
       [](D& d) {
         d.partitions[1].device.kind = 2;
         d.partitions[1].device.index = 16;
       },
       at + "device index is 16, but must be from 0 to 15"},
      {"device_index_npu",
       [](D& d) {
         d.partitions[1].device.kind = 3;
         d.partitions[1].device.index = 16;
       },
       at + "device index is 16, but must be from 0 to 15"},
      {"device_index", [](D& d) { d.partitions[1].device.index = 1; },
       at + "device index 1 does not exist; name 0"},
      {"device_percent", [](D& d) { d.partitions[1].device.cpu_percent = 6401; },
       at + "cpu_percent is 6401, but must be from 0 to 6400"},
      {"device_evidence_of_a_processor", [](D& d) { d.partitions[1].device.evidence = 1; },
       at + "the device's evidence is 1, but must be from 0 to 0"},
      {"device_evidence_beyond_the_files",
       [](D& d) {
         d.partitions[1].device.kind = 3;
         d.partitions[1].device.evidence = 5;
       },
       at + "the device's evidence is 5, but must be from 0 to 4"},
      {"device_evidence_and_a_sealed_model",
       [](D& d) {
         d.partitions[1].device.kind = 3;
         d.partitions[1].device.evidence = 4;
         d.enclaves[1].flags |= EnclaveDescription::kSealed;
       },
       "system description, enclave 1: its partition's device has evidence, which only others may "
       "have"},
      {"device_evidence_most",
       [](D& d) {
         d.partitions[1].device.kind = 3;
         d.partitions[1].device.evidence = kMost;
       },
       at + "the device's evidence is 4294967295, but must be from 0 to 4"},
      {"device_evidence_of_an_enclave",
       [](D& d) {
         d.partitions[1].device.kind = 3;
         d.partitions[1].device.evidence = 3;
       },
       "system description, enclave 2: one of its files is the evidence of a device"},
  };
}

std::vector<Corruption> corrupt_partitions() {
  const std::string at = "system description, partition 1: ";
  const std::string name = at + "the name must be 1 to 63 printable characters without a slash";
  const std::string hour = ", but must be from 1 to 3600000";
  const std::string processes = at + "processes_max is ";
  const std::string memory = at + "the memory limit must be at least 16 MiB, or nothing starts";
  return {
      {"partition_name_open", [](D& d) { leave_open(d.partitions[1].name); }, name},
      {"partition_name_hidden", [](D& d) { hide_behind_end(d.partitions[1].name); }, name},
      {"partition_name_empty", [](D& d) { d.partitions[1].name = {}; }, name},
      {"partition_name_odd", [](D& d) { d.partitions[1].name = Text<64>::from("a\x1b[2J"); }, name},
      {"partition_name_twice", [](D& d) { d.partitions[1].name = d.partitions[0].name; },
       at + "the name must not be another partition's"},
      {"partition_program", [](D& d) { d.partitions[1].program = 2; },
       at + "its mOS must be in the list of programs"},
      {"partition_program_most", [](D& d) { d.partitions[1].program = kMost; },
       at + "its mOS must be in the list of programs"},
      {"partition_memory_zero", [](D& d) { d.partitions[1].memory_bytes = 0; }, memory},
      {"partition_memory_small", [](D& d) { d.partitions[1].memory_bytes = (16 << 20) - 1; },
       memory},
      {"partition_processes", [](D& d) { d.partitions[1].processes_max = 1; },
       processes + "1, but must be from 2 to 131072"},
      {"partition_processes_most", [](D& d) { d.partitions[1].processes_max = kMost; },
       processes + "4294967295, but must be from 2 to 131072"},
      {"backoff_max_zero", [](D& d) { d.partitions[1].backoff_ms_max = 0; },
       at + "backoff_ms_max is 0" + hour},
      {"backoff_max_most", [](D& d) { d.partitions[1].backoff_ms_max = kMost; },
       at + "backoff_ms_max is 4294967295" + hour},
      {"backoff_first_zero", [](D& d) { d.partitions[1].backoff_ms_first = 0; },
       at + "backoff_ms_first is 0, but must be from 1 to 1000"},
      {"backoff_first_above_max", [](D& d) { d.partitions[1].backoff_ms_first = 1001; },
       at + "backoff_ms_first is 1001, but must be from 1 to 1000"},
      {"failures_zero", [](D& d) { d.partitions[1].failures_max = 0; },
       at + "failures_max is 0, but must be from 1 to 1000000"},
      {"failures_most", [](D& d) { d.partitions[1].failures_max = kMost; },
       at + "failures_max is 4294967295, but must be from 1 to 1000000"},
      {"stable_zero", [](D& d) { d.partitions[1].stable_ms = 0; }, at + "stable_ms is 0" + hour},
      {"stable_most", [](D& d) { d.partitions[1].stable_ms = kMost; },
       at + "stable_ms is 4294967295" + hour},
      {"hang_short", [](D& d) { d.partitions[1].hang_ms = 99; },
       at + "hang_ms is 99, but must be from 100 to 3600000"},
      {"hang_most", [](D& d) { d.partitions[1].hang_ms = kMost; },
       at + "hang_ms is 4294967295, but must be from 100 to 3600000"},
      {"load_short", [](D& d) { d.partitions[1].load_ms = 99; },
       at + "load_ms is 99, but must be from 100 to 3600000"},
      {"load_most", [](D& d) { d.partitions[1].load_ms = kMost; },
       at + "load_ms is 4294967295, but must be from 100 to 3600000"},
      {"standby_neither_0_nor_1", [](D& d) { d.partitions[1].standby = 2; },
       at + "standby must be 0 or 1"},
  };
}

std::vector<Corruption> corrupt_enclaves() {
  const std::string at = "system description, enclave 2: ";
  const std::string name = at + "the name must be 1 to 63 printable characters without a slash";
  const std::string files = at + "its files must be in the list";
  const std::string memory = ", but must be from 16777216 to 536870912";
  return {
      {"enclave_name_open", [](D& d) { leave_open(d.enclaves[2].name); }, name},
      {"enclave_name_empty", [](D& d) { d.enclaves[2].name = {}; }, name},
      {"enclave_name_twice", [](D& d) { d.enclaves[2].name = d.enclaves[1].name; },
       at + "name and version must not be another enclave's"},
      {"enclave_partition", [](D& d) { d.enclaves[2].partition = 2; },
       at + "its partition must be in the list"},
      {"enclave_partition_most", [](D& d) { d.enclaves[2].partition = kMost; },
       at + "its partition must be in the list"},
      {"enclave_program", [](D& d) { d.enclaves[2].program = 2; },
       at + "its program must be in the list"},
      {"enclave_kind_zero", [](D& d) { d.enclaves[2].kind = 0; },
       at + "kind 0 is unknown to this build"},
      {"enclave_kind_most", [](D& d) { d.enclaves[2].kind = kMost; },
       at + "kind 4294967295 is unknown to this build"},
      {"enclave_flags", [](D& d) { d.enclaves[2].flags = 7; },
       at + "flags 0x7 are unknown to this build"},
      {"enclave_first_file", [](D& d) { d.enclaves[2].first_file = 3; }, files},
      {"enclave_first_file_most", [](D& d) { d.enclaves[2].first_file = kMost; }, files},
      {"enclave_file_count", [](D& d) { d.enclaves[2].file_count = 3; }, files},
      {"enclave_file_count_wraps", [](D& d) { d.enclaves[2].file_count = kMost; }, files},
      {"enclave_file_twice", [](D& d) { d.files[3].target = d.files[2].target; },
       at + "two of its files have the same target; each needs its own"},
      {"enclave_threads_zero", [](D& d) { d.enclaves[2].threads = 0; },
       at + "threads is 0, but must be from 1 to 256"},
      {"enclave_threads_many", [](D& d) { d.enclaves[2].threads = 257; },
       at + "threads is 257, but must be from 1 to 256"},
      {"enclave_memory_zero", [](D& d) { d.enclaves[2].memory_bytes = 0; },
       at + "memory_bytes is 0" + memory},
      {"enclave_memory_above_partition", [](D& d) { d.enclaves[2].memory_bytes = 536870913; },
       at + "memory_bytes is 536870913" + memory},
      {"enclave_processes", [](D& d) { d.enclaves[2].processes_max = 1; },
       at + "processes_max is 1, but must be from 2 to 131072"},
      {"enclave_processes_many", [](D& d) { d.enclaves[2].processes_max = 131073; },
       at + "processes_max is 131073, but must be from 2 to 131072"},
      {"enclave_scratch_of_a_model", [](D& d) { d.enclaves[2].scratch_bytes = 1; },
       at + "scratch_bytes is 1, but must be from 0 to 0"},
      {"enclave_scratch_beyond_its_memory",
       [](D& d) {
         d.enclaves[2].kind = static_cast<uint32_t>(EnclaveKind::kProgram);
         d.enclaves[2].memory_bytes = 32 << 20;
         d.enclaves[2].scratch_bytes = (32 << 20) + 1;
       },
       at + "scratch_bytes is 33554433, but must be from 0 to 33554432"},
      {"enclave_share", [](D& d) { d.enclaves[2].share = 101; },
       at + "share is 101, but must be from 0 to 100"},
      {"enclave_share_most", [](D& d) { d.enclaves[2].share = kMost; },
       at + "share is 4294967295, but must be from 0 to 100"},
      {"enclave_options_open", [](D& d) { leave_open(d.enclaves[2].options); },
       at + "its options do not end; pad them with zeros"},
      {"enclave_options_hidden", [](D& d) { hide_behind_end(d.enclaves[2].options); },
       at + "its options do not end; pad them with zeros"},
  };
}

// What only some enclaves may have, and how much of it.
std::vector<Corruption> corrupt_shares() {
  const std::string at = "system description, enclave 1: ";
  const auto halve = [](D& d) { d.enclaves[1].share = d.enclaves[2].share = 50; };
  return {
      {"sealed_and_no_model", [](D& d) { d.enclaves[0].flags = EnclaveDescription::kSealed; },
       "system description, enclave 0: only a model can be sealed"},
      {"share_beside_none", [](D& d) { d.enclaves[1].share = 50; },
       at + "it has a share of its partition, and another there has none"},
      {"shares_above_all",
       [](D& d) {
         d.enclaves[1].share = 50;
         d.enclaves[2].share = 51;
       },
       at + "the shares of its partition come to 101 %, and 100 is all"},
      {"share_of_no_device", [](D& d) { d.enclaves[0].share = 100; },
       "system description, enclave 0: it has a share, and its partition has no device to share"},
      {"share_of_next_to_nothing",
       [=](D& d) {
         halve(d);
         d.partitions[1].device.cpu_percent = 1;
       },
       at + "its share is below 1 % of a core, which no quota can be"},
      {"share_memory",
       [=](D& d) {
         halve(d);
         d.partitions[1].memory_bytes = (512 << 20) - 1;
       },
       at + "the memory of those who share its partition comes to 536870912 bytes, and it has "
            "536870911"},
      // Twice 256 MiB each, but for the answers, which a standby does not write.
      {"share_memory_with_standby",
       [=](D& d) {
         halve(d);
         d.partitions[1].standby = 1;
         d.partitions[1].memory_bytes = (1024 << 20) - (2 << 20) - 1;
       },
       at + "the memory of those who share its partition comes to 1071644672 bytes, and it has "
            "1071644671"},
      {"share_memory_most",
       [=](D& d) {
         halve(d);
         d.partitions[1].memory_bytes = kMost64 - 1;
         d.enclaves[1].memory_bytes = d.enclaves[2].memory_bytes = kMost64 - 1;
       },
       at + "the memory of those who share its partition comes to 18446744073709551615 bytes, "
            "and it has 18446744073709551614"},
  };
}

std::vector<Corruption> corrupt_streams() {
  const std::string at = "system description, stream 1: ";
  const std::string ends = at + "its ends must be two enclaves of the list";
  const std::string slots = ", but must be a power of two up to 64";
  const std::string bulk = ", but must be from 0 to 17179869184";
  return {
      {"stream_caller", [](D& d) { d.streams[1].caller = 3; }, ends},
      {"stream_caller_most", [](D& d) { d.streams[1].caller = kMost; }, ends},
      {"stream_callee", [](D& d) { d.streams[1].callee = 3; }, ends},
      {"stream_callee_most", [](D& d) { d.streams[1].callee = kMost; }, ends},
      {"stream_to_itself", [](D& d) { d.streams[1].caller = d.streams[1].callee; }, ends},
      {"stream_slots_zero", [](D& d) { d.streams[1].slots = 0; }, at + "slots are 0" + slots},
      {"stream_slots_odd", [](D& d) { d.streams[1].slots = 12; }, at + "slots are 12" + slots},
      {"stream_slots_many", [](D& d) { d.streams[1].slots = 128; }, at + "slots are 128" + slots},
      {"stream_regions_zero", [](D& d) { d.streams[1].regions = 0; },
       at + "regions is 0, but must be from 1 to 8"},
      {"stream_regions_many", [](D& d) { d.streams[1].regions = 9; },
       at + "regions is 9, but must be from 1 to 8"},
      {"stream_callee_twice", [](D& d) { d.streams[1].callee = d.streams[0].callee; },
       at + "its callee already has a caller, and may have one only"},
      {"stream_bulk_in", [](D& d) { d.streams[1].bulk_in_bytes = 17179869185; },
       at + "bulk_in_bytes is 17179869185" + bulk},
      {"stream_bulk_out_most", [](D& d) { d.streams[1].bulk_out_bytes = kMost64; },
       at + "bulk_out_bytes is 18446744073709551615" + bulk},
  };
}

std::vector<Corruption> all_corruptions() {
  std::vector<Corruption> all;
  for (const auto& list :
       {corrupt_heads(), corrupt_images(), corrupt_programs(), corrupt_devices(),
        corrupt_partitions(), corrupt_enclaves(), corrupt_shares(), corrupt_streams()})
    all.insert(all.end(), list.begin(), list.end());
  return all;
}

class WrongDescription : public testing::TestWithParam<Corruption> {};

TEST_P(WrongDescription, is_refused_with_its_sentence) {
  const auto description = right_description();
  GetParam().corrupt(*description);
  const Status checked = check_description(*description);
  ASSERT_FALSE(checked) << "nothing refuses this description";
  EXPECT_EQ(checked.error().text, GetParam().expected);
  EXPECT_EQ(checked.error().code, GetParam().code);
  EXPECT_TRUE(sentence(checked.error().text));
}

INSTANTIATE_TEST_SUITE_P(Fields, WrongDescription, testing::ValuesIn(all_corruptions()),
                         [](const auto& field) { return field.param.name; });

TEST(Description, that_is_right_is_accepted) {
  EXPECT_EQ(refusal(check_description(*right_description())), "");
}

TEST(Description, may_share_out_all_there_is_and_less) {
  for (const uint32_t share : {1u, 50u}) {
    const auto d = right_description();
    d->enclaves[1].share = d->enclaves[2].share = share;
    d->partitions[1].standby = 1;
    d->partitions[1].memory_bytes = (1024 << 20) - (2 << 20);
    d->partitions[1].device.cpu_percent = 100 / share;
    EXPECT_EQ(refusal(check_description(*d)), "") << share;
  }
}

TEST(Description, may_have_evidence_of_an_accelerator_that_no_enclave_has) {
  const auto d = right_description();
  for (const uint32_t kind : {2u, 3u}) {
    d->partitions[1].device.kind = kind;
    for (uint32_t i = 0; i < 2; ++i) {
      d->files[d->file_count++] = {Text<limits::kPath>::from("/evidence"),
                                   Text<limits::kPath>::from("npu:0")};
      d->partitions[1].device.evidence = d->file_count;
      EXPECT_EQ(refusal(check_description(*d)), "") << kind;
    }
  }
}

// Entries behind a count belong to nobody and may hold anything.
TEST(Description, is_judged_by_its_counted_entries_alone) {
  const auto d = right_description();
  leave_open(d->images[d->image_count].source);
  leave_open(d->files[d->file_count].target);
  leave_open(d->partitions[d->partition_count].name);
  d->enclaves[d->enclave_count].partition = kMost;
  d->streams[d->stream_count].caller = kMost;
  EXPECT_EQ(refusal(check_description(*d)), "");
}

TEST(Description, may_reach_every_limit) {
  const auto d = right_description();
  d->partitions[1].backoff_ms_first = d->partitions[1].backoff_ms_max = 3'600'000;
  d->partitions[1].stable_ms = d->partitions[1].hang_ms = 3'600'000;
  d->partitions[1].load_ms = 3'600'000;
  d->partitions[1].failures_max = 1'000'000;
  d->partitions[1].processes_max = d->enclaves[1].processes_max = 65'536;
  d->partitions[1].device.cpu_percent = 6400;
  d->partitions[1].device.cpu_mask = kMost64;
  d->partitions[1].memory_bytes = d->enclaves[1].memory_bytes = kMost64;
  d->partitions[0].memory_bytes = d->enclaves[0].memory_bytes = 16 << 20;
  d->enclaves[1].threads = 256;
  d->streams[1] = {0, 2, 64, 64, 17179869184, 0};
  EXPECT_EQ(refusal(check_description(*d)), "");
}

}  // namespace
}  // namespace casemate::tests

// SPDX-License-Identifier: Apache-2.0
// What is wrong only where system file, repository, programs and machine meet.
#include "outside/launch/describe.h"
#include "base/format.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "isolated/model/model_options.h"
#include "outside/launch/opencl_files.h"
#include "tests/manifest/scratch.h"

namespace casemate::tests {
namespace {

using launch::PartitionSettings;
using launch::SystemFile;

std::vector<std::string> many_names(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(formatted("m{}", i));
  return names;
}

class Describe : public testing::Test {
 protected:
  auto describe(const SystemFile& file, const std::vector<launch::ModelFiles>& models) {
    return launch::describe(file, models, programs_);
  }
  void expect_refused(const SystemFile& file, const std::vector<launch::ModelFiles>& models,
                      Code code, const std::string& expected) {
    const auto description = describe(file, models);
    ASSERT_FALSE(description) << "nothing refuses this system";
    EXPECT_EQ(description.error().text, expected);
    EXPECT_EQ(description.error().code, code);
  }

  Scratch scratch_;
  const std::string programs_ = scratch_.programs();
};

TEST_F(Describe, gives_each_model_that_no_partition_names_its_own) {
  const auto file =
      SystemFile::parse("[[partition]]\nname = \"p\"\nmodels = [\"a\", \"c\"]\n", "f");
  ASSERT_TRUE(file) << file.error().text;
  const auto made = describe(*file, models_named({"a", "b", "c"}));
  ASSERT_TRUE(made) << made.error().text;
  const SystemDescription& d = **made;
  ASSERT_EQ(d.partition_count, 3u);
  EXPECT_EQ(d.partitions[0].name.view(), "gateway");
  EXPECT_EQ(d.partitions[1].name.view(), "p");
  EXPECT_EQ(d.partitions[2].name.view(), "b");
  EXPECT_EQ(d.enclave_count, 4u);
  EXPECT_EQ(refusal(check_description(d)), "");
}

TEST_F(Describe, counts_answers_for_the_model_that_writes_them_and_requests_for_the_gateway) {
  SystemFile file;
  file.gateway.memory_mib = 512;
  file.defaults.memory_mib = 256;
  file.defaults.request_mib = 16;
  file.defaults.calls_in_flight = 4;
  constexpr uint64_t kMib = 1 << 20;
  constexpr uint64_t kMos = 64;
  for (const bool standby : {false, true}) {
    file.defaults.standby = file.gateway.standby = standby;
    const auto made = describe(file, models_named({"m", "n"}));
    ASSERT_TRUE(made) << made.error().text;
    const SystemDescription& d = **made;
    const uint64_t trees = standby ? 2 : 1;
    EXPECT_EQ(d.enclaves[1].memory_bytes, (256 + 4 * 16) * kMib);
    EXPECT_EQ(d.enclaves[0].memory_bytes, (512 + 2 * 4 * 16) * kMib);
    EXPECT_EQ(d.partitions[1].memory_bytes, (trees * (256 + kMos) + 4 * 16) * kMib)
        << "a standby has no stream";
    EXPECT_EQ(d.partitions[0].memory_bytes, (trees * (512 + kMos) + 2 * 4 * 16) * kMib);
    EXPECT_EQ(refusal(check_description(d)), "");
  }
}

TEST_F(Describe, takes_the_largest_settings_that_a_file_may_have) {
  const auto file = SystemFile::parse(R"([defaults]
threads = 256
memory_mib = 1048576
request_mib = 256
calls_in_flight = 64
cpu_percent = 6400
restart = { backoff_ms_first = 3600000, backoff_ms_max = 3600000, failures_max = 1000000 }
[gateway]
memory_mib = 1048576
connections_max = 1000000
[[partition]]
name = "p"
models = ["m0"]
)",
                                      "f");
  ASSERT_TRUE(file) << file.error().text;
  SystemFile crowded = *file;
  crowded.partitions[0].models = many_names(64);
  const auto made = describe(crowded, models_named(many_names(64)));
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(refusal(check_description(**made)), "");
}

TEST_F(Describe, waits_for_a_hang_as_much_longer_as_a_quota_makes_everything_take) {
  const struct {
    uint32_t cpu_percent, hang_ms, expected;
  } cases[] = {{0, 5'000, 5'000},   {100, 5'000, 5'000},    {6400, 5'000, 5'000},
               {99, 5'000, 5'050},  {50, 5'000, 10'000},    {10, 5'000, 50'000},
               {1, 5'000, 500'000}, {1, 36'001, 3'600'000}, {1, 3'600'000, 3'600'000}};
  for (const auto& given : cases) {
    SystemFile file;
    file.defaults.cpu_percent = given.cpu_percent;
    file.defaults.restart.hang_ms = file.defaults.restart.load_ms = given.hang_ms;
    const auto made = describe(file, models_named({"m"}));
    ASSERT_TRUE(made) << made.error().text;
    EXPECT_EQ((*made)->partitions[1].hang_ms, given.expected) << given.cpu_percent << " %";
    EXPECT_EQ((*made)->partitions[1].load_ms, given.expected) << given.cpu_percent << " %";
    EXPECT_EQ((*made)->partitions[0].hang_ms, given.hang_ms) << "the gateway has no quota";
    EXPECT_EQ(refusal(check_description(**made)), "");
  }
}

TEST_F(Describe, gives_a_share_its_part_of_threads_and_memory) {
  const auto file = SystemFile::parse(R"([[partition]]
name = "p"
models = ["a", "b"]
cores = [0]
cpu_percent = 80
memory_mib = 1000
request_mib = 1
calls_in_flight = 1
[model.a]
share = 25
[model.b]
share = 75
)",
                                      "f");
  ASSERT_TRUE(file) << file.error().text;
  const auto made = describe(*file, models_named({"a", "b", "c"}));
  ASSERT_TRUE(made) << made.error().text;
  const SystemDescription& d = **made;
  EXPECT_EQ(refusal(check_description(d)), "");
  constexpr uint64_t kMib = 1 << 20;
  EXPECT_EQ(d.enclaves[1].share, 25u);
  EXPECT_EQ(d.enclaves[1].memory_bytes, (500 + 1) * kMib) << "of two models' memory, and answers";
  EXPECT_EQ(d.enclaves[1].threads, 1u);
  EXPECT_EQ(d.enclaves[2].share, 75u);
  EXPECT_EQ(d.enclaves[2].memory_bytes, (1500 + 1) * kMib);
  EXPECT_EQ(d.enclaves[3].share, 0u) << "alone, and nothing is said of it";
  EXPECT_EQ(d.partitions[1].load_ms, 120'000u * 5) << "the slowest has 20 % of a core";
}

TEST_F(Describe, gives_a_share_as_many_threads_as_it_has_cores) {
  if (::sysconf(_SC_NPROCESSORS_CONF) < 2) GTEST_SKIP() << "there is but one core";
  for (const uint32_t threads : {0u, 7u}) {
    const auto file = SystemFile::parse(
        formatted("[defaults]\ncores = [0, 1]\n{}[model.a]\nshare = 50\n[model.b]\nshare = 51\n",
                  threads == 0 ? "" : "threads = 7\n"),
        "f");
    ASSERT_TRUE(file) << file.error().text;
    const auto made = describe(*file, models_named({"a", "b", "c"}));
    ASSERT_TRUE(made) << made.error().text;
    EXPECT_EQ((*made)->enclaves[1].threads, threads == 0 ? 1 : threads);
    EXPECT_EQ((*made)->enclaves[2].threads, threads == 0 ? 2 : threads);
    EXPECT_EQ((*made)->enclaves[3].threads, threads == 0 ? 2 : threads);
  }
}

TEST_F(Describe, refuses_a_share_of_memory_that_is_too_small_for_its_model) {
  auto models = models_named({"m"});
  models[0].folder = scratch_.folder();
  std::filesystem::resize_file(scratch_.write("model.onnx", "x"), 101 << 20);
  const auto file = SystemFile::parse("[defaults]\nmemory_mib = 200\n[model.m]\nshare = 50\n", "f");
  ASSERT_TRUE(file) << file.error().text;
  expect_refused(*file, models, Code::kInvalid,
                 "f:3: model 'm' has 50 % of partition 'm', 100 MiB of its memory, and needs 101 "
                 "for its files alone, and 64 at least; raise its share or memory_mib");
}

TEST_F(Describe, passes_shapes_on_to_the_model_that_they_are_for) {
  const auto file = SystemFile::parse(
      "[model.b]\nshapes = [{ sequence = 128, batch = 8 }, { \"past + 1\" = 0 }]\n[model.c]\n",
      "f");
  ASSERT_TRUE(file) << file.error().text;
  const auto made = describe(*file, models_named({"a", "b", "c"}));
  ASSERT_TRUE(made) << made.error().text;
  const SystemDescription& d = **made;
  EXPECT_EQ(refusal(check_description(d)), "");
  EXPECT_EQ(d.enclaves[1].options.view(), "");
  EXPECT_EQ(d.enclaves[2].options.view(), "shape=batch:8,sequence:128;shape=past + 1:0");
  EXPECT_EQ(d.enclaves[3].options.view(), "");
  // The two ends of the wall agree about the text, and about what is too much.
  using launch::ModelSettings;
  using model::ModelOptions;
  static_assert(ModelSettings::kShapes == ModelOptions::kShapes &&
                ModelSettings::kShapeExtents == ModelOptions::kShapeExtents &&
                ModelSettings::kExtentMax == ModelOptions::kExtentMax);
  const auto options = model::ModelOptions::parse(d.enclaves[2].options.view());
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->shapes, (std::vector<std::map<std::string, int64_t>>{
                                 {{"batch", 8}, {"sequence", 128}}, {{"past + 1", 0}}}));
}

TEST_F(Describe, refuses_shapes_that_take_too_much_room) {
  std::string shapes;
  for (int i = 0; i < 15; ++i)
    shapes += formatted("{{ {} = {} }},", std::string(53, 'e'), 1'000'000 + i);
  // 15 of 67 characters, 14 semicolons between them, and 4 to spare.
  const auto most = SystemFile::parse(formatted("[model.m]\nshapes = [{}]\n", shapes), "f");
  ASSERT_TRUE(most) << most.error().text;
  const auto made = describe(*most, models_named({"m"}));
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ((*made)->enclaves[1].options.view().size(), 1019u);
  const auto more =
      SystemFile::parse(formatted("[model.m]\nshapes = [{}{{ e = 1 }}]\n", shapes), "f");
  ASSERT_TRUE(more) << more.error().text;
  expect_refused(*more, models_named({"m"}), Code::kTooLarge,
                 "f:1: the shapes of model 'm' take 1029 characters of at most 1023; name fewer");
}

TEST_F(Describe, gives_each_model_that_is_cut_over_a_device_an_enclave_there) {
  auto file = SystemFile::parse(
      "[model.a]\ndevices = [\"npu:0\"]\n[model.b]\nshapes = [{n = 2}]\ndevices = [\"npu:0\"]\n"
      "[[partition]]\nname = \"unit\"\ndevice = \"npu:0\"\nmemory_mib = 100\n",
      "f");
  ASSERT_TRUE(file) << file.error().text;
  file->models[0].cut = "cpu:0,npu:0/0*2,1*3";
  file->models[1].cut = "cpu:0,npu:0/1*4";
  const auto made = describe(*file, models_named({"a", "b", "c"}));
  ASSERT_TRUE(made) << made.error().text;
  const SystemDescription& d = **made;
  EXPECT_EQ(refusal(check_description(d)), "");
  ASSERT_EQ(d.partition_count, 5u);
  EXPECT_EQ(d.partitions[4].name.view(), "unit");
  EXPECT_EQ(name_of(d.partitions[4].device), "npu:0");
  ASSERT_EQ(d.enclave_count, 6u);
  EXPECT_EQ(d.enclaves[4].name.view(), "a@npu:0");
  EXPECT_EQ(d.enclaves[4].options.view(), "device=0");
  EXPECT_EQ(d.enclaves[4].kind, static_cast<uint32_t>(EnclaveKind::kDevice));
  EXPECT_EQ(d.enclaves[1].options.view(), "cut=cpu:0,npu:0/0*2,1*3");
  EXPECT_EQ(d.enclaves[2].options.view(), "shape=n:2;cut=cpu:0,npu:0/1*4");
  const auto options = model::ModelOptions::parse(d.enclaves[2].options.view());
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->on, (std::vector<uint32_t>{1, 1, 1, 1}));
  ASSERT_EQ(d.stream_count, 5u);
  EXPECT_EQ(d.streams[3].caller, 1u);
  EXPECT_EQ(d.streams[3].callee, 4u);
  EXPECT_EQ(d.streams[4].caller, 2u);
}

TEST_F(Describe, gives_a_model_that_is_cut_over_an_opencl_device_its_driver_and_a_folder) {
  if (!launch::opencl_device_files(launch::kOpenclVendors))
    GTEST_SKIP() << "NOT TESTED: this machine has no OpenCL driver";
  auto file = SystemFile::parse(
      "[model.a]\ndevices = [\"opencl:2\"]\n[model.b]\ndevices = [\"opencl:2\"]\n"
      "[[partition]]\nname = \"unit\"\ndevice = \"opencl:2\"\nmemory_mib = 1024\nthreads = 3\n",
      "f");
  ASSERT_TRUE(file) << file.error().text;
  file->models[0].cut = file->models[1].cut = "cpu:0,opencl:2/0*2,1*3";
  const auto made = describe(*file, models_named({"a", "b"}));
  ASSERT_TRUE(made) << made.error().text;
  const SystemDescription& d = **made;
  EXPECT_EQ(refusal(check_description(d)), "");
  ASSERT_EQ(d.enclave_count, 5u);
  EXPECT_EQ(name_of(d.partitions[3].device), "opencl:2");
  EXPECT_EQ(d.enclaves[3].name.view(), "a@opencl:2");
  EXPECT_EQ(d.enclaves[3].options.view(), "device=2");
  EXPECT_EQ(d.enclaves[3].scratch_bytes, 256u << 20);
  EXPECT_EQ(d.enclaves[3].threads, 3u);
  EXPECT_EQ(d.enclaves[4].program, d.enclaves[3].program) << "one program's files for both";
  const ProgramDescription& program = d.programs[d.enclaves[3].program];
  EXPECT_EQ(d.images[program.first_image].target.view(), "/bin/casemate-opencl-device");
  const auto images = std::span(d.images).subspan(program.first_image, program.image_count);
  EXPECT_TRUE(std::ranges::any_of(images, [](const ImageDescription& image) {
    return image.target.view().starts_with("/etc/OpenCL/vendors/");
  }));
}

TEST_F(Describe, refuses_an_opencl_device_without_memory_for_its_compiler) {
  auto file = SystemFile::parse(
      "[model.a]\ndevices = [\"opencl:0\"]\n[[partition]]\nname = \"unit\"\n"
      "device = \"opencl:0\"\nmemory_mib = 1023\n",
      "f");
  ASSERT_TRUE(file) << file.error().text;
  file->models[0].cut = "cpu:0,opencl:0/0*2,1*3";
  expect_refused(*file, models_named({"a"}), Code::kInvalid,
                 "f:3: an enclave of opencl:0 has 1023 MiB of memory, and needs 1024 at least; "
                 "raise memory_mib of its partition");
}

TEST_F(Describe, makes_a_device_that_no_partition_has_one_of_its_own) {
  auto file = SystemFile::parse("[model.a]\ndevices = [\"npu:0\"]\n", "f");
  ASSERT_TRUE(file) << file.error().text;
  EXPECT_EQ((*describe(*file, models_named({"a"})))->partition_count, 2u) << "nothing runs there";
  file->models[0].cut = "cpu:0,npu:0/0*2,1*3";
  const auto made = describe(*file, models_named({"a"}));
  ASSERT_TRUE(made) << made.error().text;
  ASSERT_EQ((*made)->partition_count, 3u);
  EXPECT_EQ((*made)->partitions[2].name.view(), "npu-0");
}

TEST_F(Describe, refuses_more_partitions_than_fit) {
  expect_refused({}, models_named(many_names(64)), Code::kTooLarge,
                 "the system needs more than 64 partitions: serve fewer models, or from two "
                 "systems");
  EXPECT_EQ(refusal(describe({}, models_named(many_names(63)))), "") << "the gateway has one too";
}

TEST_F(Describe, refuses_more_enclaves_than_fit) {
  SystemFile file;
  const auto names = many_names(128);
  for (const size_t half : {size_t{0}, size_t{64}}) {
    PartitionSettings p;
    p.name = formatted("p{}", half);
    p.models.assign(names.begin() + static_cast<long>(half),
                    names.begin() + static_cast<long>(half) + 64);
    file.partitions.push_back(p);
  }
  expect_refused(file, models_named(names), Code::kTooLarge,
                 "the system needs more than 128 enclaves: serve fewer models, or from two "
                 "systems");
}

TEST_F(Describe, refuses_more_model_files_than_fit) {
  expect_refused({}, models_named(many_names(9), 64), Code::kTooLarge,
                 "the system needs more than 512 model files: serve fewer models, or from two "
                 "systems");
}

TEST_F(Describe, refuses_a_path_that_is_too_long) {
  auto models = models_named({"m"});
  models[0].folder = "/" + std::string(243, 'f');
  EXPECT_EQ(refusal(describe({}, models)), "") << "255 characters fit";
  models[0].folder += 'f';
  expect_refused(
      {}, models, Code::kTooLarge,
      models[0].folder + "/model.onnx: the path is longer than 255 characters; move the file up");
}

TEST_F(Describe, refuses_a_core_that_this_machine_lacks) {
  const long cores = ::sysconf(_SC_NPROCESSORS_CONF);
  if (cores >= 64) GTEST_SKIP() << "this machine has every core that a file can name";
  const auto file = SystemFile::parse(formatted("[defaults]\ncores = [0, {}]\n", cores), "f");
  ASSERT_TRUE(file) << file.error().text;
  expect_refused(*file, models_named({"m"}), Code::kInvalid,
                 formatted("f:1: partition 'm' is to run on core {}, but this machine has cores "
                           "0 to {}; name cores among these",
                           cores, cores - 1));
}

TEST_F(Describe, refuses_a_program_that_was_not_built) {
  std::filesystem::remove(programs_ + "/casemate-gateway");
  expect_refused({}, models_named({"m"}), Code::kNotFound,
                 programs_ + "/casemate-gateway: is not there; build it with ./dev build");
}

TEST_F(Describe, refuses_a_program_that_the_loader_cannot_list) {
  std::filesystem::remove(programs_ + "/casemate-model");
  const std::string program = scratch_.write("programs/casemate-model", "no program");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  expect_refused({}, models_named({"m"}), Code::kPlatform,
                 program + ": its libraries cannot be listed; build it again (./dev build)");
}

}  // namespace
}  // namespace casemate::tests

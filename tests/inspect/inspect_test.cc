// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/format.h"
#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/plan/plan_data.h"
#include "isolated/inspect/quantised_network.h"
#include "outside/client/testing/pictures.h"
#include "outside/launch/opencl_files.h"
#include "tests/divided/float_network.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using client::testing::TestFolder;
using engine::ModelBuilder;
using nlohmann::json;
using namespace std::chrono_literals;

std::string program() {
  const char* build = std::getenv("CASEMATE_BUILD");
  if (build != nullptr) return std::string(build) + "/bin/casemate";
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path() /
         "bin/casemate";
}

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

size_t lines(std::string_view text) { return std::ranges::count(text, '\n'); }

class Inspect : public testing::Test {
 protected:
  // Starts the command with its output in files.
  pid_t start(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), program());
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    for (const auto& [name, number] : {std::pair("out", 1), std::pair("err", 2)}) {
      const std::string path = folder_.path(name);
      ::dup2(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), number);
    }
    ::execv(pointers.front(), pointers.data());
    ::_exit(127);
  }
  Outcome finish(pid_t child) const {
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return {};
    return {WEXITSTATUS(status), text_of_file(folder_.path("out")),
            text_of_file(folder_.path("err"))};
  }
  Outcome run(std::vector<std::string> arguments) const {
    return finish(start(std::move(arguments)));
  }
  // The one line of a refusal.
  std::string refusal(std::vector<std::string> arguments, int code = 1) const {
    const Outcome done = run(std::move(arguments));
    EXPECT_EQ(done.code, code) << done.out << done.err;
    EXPECT_EQ(lines(done.err), 1u) << done.err;
    EXPECT_TRUE(done.err.starts_with("casemate: ")) << done.err;
    return done.err;
  }
  std::string write(const ModelBuilder& model, const std::string& name = "m.onnx") const {
    return folder_.file(name, bytes_of(std::string_view(model.bytes())));
  }

  TestFolder folder_;
};

ModelBuilder network() {
  ModelBuilder b;
  b.input("x", {-1, 3, 16, 16});
  b.output("y", {-1, 8});
  b.noise("w", {8, 3, 3, 3});
  b.node("Conv", {"x", "w"}, "c");
  b.node("Relu", {"c"}, "r");
  b.node("GlobalAveragePool", {"r"}, "p");
  b.node("Flatten", {"p"}, "y");
  return b;
}

// Products of large constants, which are folded while the model is loaded: minutes of work from a
// file of a few bytes.
ModelBuilder slow_network() {
  ModelBuilder b;
  b.input("x", {1});
  b.output("y", {1800, 1800});
  b.integers("shape", {2}, {1800, 1800});
  b.node("ConstantOfShape", {"shape"}, "m0");
  for (int i = 0; i < 60; ++i)
    b.node("MatMul", {formatted("m{}", i), formatted("m{}", i)}, formatted("m{}", i + 1));
  b.node("Add", {"m60", "x"}, "y");
  return b;
}

TEST_F(Inspect, check_of_a_good_model_is_a_short_summary) {
  const Outcome done = run({"check", write(network())});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_TRUE(done.out.starts_with("can be served  yes\n")) << done.out;
  EXPECT_TRUE(done.out.contains("\nnodes          4: ")) << done.out;
  EXPECT_LE(lines(done.out), 10u);
  EXPECT_EQ(done.err, "");
  const Outcome as_json = run({"check", write(network()), "--json"});
  EXPECT_EQ(as_json.code, 0) << as_json.err;
  EXPECT_EQ(json::parse(as_json.out, nullptr, false)["served"], true) << as_json.out;
}

TEST_F(Inspect, check_lists_every_operator_that_cannot_be_done_and_exits_with_one) {
  ModelBuilder b = network();
  b.output("z", {-1, 8});
  b.node("Frobnicate", {"y"}, "f");
  b.node("Defrobnicate", {"f"}, "z");
  const Outcome done = run({"check", write(b)});
  EXPECT_EQ(done.code, 1);
  EXPECT_TRUE(done.out.starts_with("can be served  no\n")) << done.out;
  EXPECT_TRUE(done.out.contains("\n  node 'f' (Frobnicate): ")) << done.out;
  EXPECT_TRUE(done.out.contains("\n  node 'z' (Defrobnicate): ")) << done.out;
  EXPECT_TRUE(done.err.starts_with("casemate: this build cannot serve the model, for 2 reasons"))
      << done.err;
  EXPECT_EQ(lines(done.err), 1u);
  const Outcome as_json = run({"check", write(b), "--json"});
  EXPECT_EQ(as_json.code, 1);
  EXPECT_EQ(json::parse(as_json.out, nullptr, false)["refused"], 2) << as_json.out;
}

TEST_F(Inspect, plan_prints_steps_or_what_can_be_read_back) {
  const Outcome text = run({"plan", write(network()), "--print", "--batch", "4"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(text.out.contains("in0 FP32 [1,3,16,16]")) << text.out;
  EXPECT_TRUE(text.out.contains("[4,3,16,16] is made item by item")) << text.out;
  const Outcome as_json = run({"plan", write(network()), "--json", "--threads", "2"});
  EXPECT_EQ(as_json.code, 0) << as_json.err;
  const auto plan = engine::plan_from_json(as_json.out);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->inputs[0].shape, (Shape{1, 3, 16, 16}));
  EXPECT_EQ(run({"plan", write(network())}).code, 2) << "what to do with it was not said";
}

TEST_F(Inspect, devices_are_listed_by_drivers_behind_walls) {
  const Outcome text = run({"devices"});
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part : {"DEVICE ", "\ncpu:0 ", "\nnpu:0 ", "(simulated)", "  well\n"})
    EXPECT_TRUE(text.out.contains(part)) << part << " is missing in\n" << text.out;
  EXPECT_FALSE(text.out.contains("failed")) << text.out;
  const Outcome as_json = run({"devices", "--json"});
  EXPECT_EQ(as_json.code, 0) << as_json.err;
  const json found = json::parse(as_json.out, nullptr, false);
  ASSERT_GE(found["devices"].size(), 3u) << as_json.out;
  EXPECT_EQ(found["devices"][0]["name"], "cpu:0");
}

// Skips where there is none.
class InspectOpencl : public Inspect {
 protected:
  void SetUp() override {
    if (!launch::opencl_device_files(launch::kOpenclVendors))
      GTEST_SKIP() << "NOT TESTED: this machine has no OpenCL device";
  }
};

TEST_F(InspectOpencl, devices_are_listed_by_a_driver_behind_walls_of_its_own) {
  const Outcome text = run({"devices"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(text.err, "");
  for (const char* part : {"\ncpu:0 ", "\nopencl:0  an OpenCL device "})
    EXPECT_TRUE(text.out.contains(part)) << part << " is missing in\n" << text.out;
  EXPECT_FALSE(text.out.contains("failed")) << text.out;
}

TEST_F(InspectOpencl, plan_over_devices_measures_each_piece_on_its_device) {
  const std::string model = write(float_network(4));
  const Outcome done = run({"plan", model, "--devices", "cpu:0,opencl:0,npu:0", "--prefer",
                            "opencl:0", "--rounds", "1", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const json found = json::parse(done.out, nullptr, false);
  ASSERT_EQ(found["devices"].size(), 3u) << done.out;
  EXPECT_EQ(found["devices"][1]["name"], "opencl:0");
  EXPECT_EQ(found["cut"]["pieces"][0]["device"], "opencl:0");
  EXPECT_EQ(found["cut"]["pieces"][1]["device"], "cpu:0") << "what it does not take";
  ASSERT_EQ(found["devices"][1]["refused"].size(), 1u) << done.out;
  EXPECT_EQ(found["devices"][1]["refused"][0]["operators"], json({{"CumSum", 1}}));
  EXPECT_LT(found["difference_max"].get<double>(), 1e-5) << done.out;
  EXPECT_GT(found["measured_ms"].get<double>(), 0);
  EXPECT_TRUE(refusal({"plan", model, "--devices", "cpu:0,opencl:15"})
                  .contains("opencl:15: there is no OpenCL device 15: this machine has "));
}

TEST_F(Inspect, plan_over_devices_measures_each_piece_on_its_device_behind_walls) {
  const std::string model = write(inspect::quantised_network());
  const std::vector<std::string> ask = {"plan",     model,   "--devices", "cpu:0,npu:0,fake:0",
                                        "--prefer", "npu:0", "--rounds",  "2"};
  const Outcome text = run(ask);
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part : {"  1 ConvInteger\n", "  1 MatMulInteger\n", "the cut takes ",
                           "npu:0 does not take ", "fake:0 takes every node\n"})
    EXPECT_TRUE(text.out.contains(part)) << part << " is missing in\n" << text.out;
  std::vector<std::string> for_programs = ask;
  for (const char* more : {"--json", "--threads", "2", "--batch", "3"})
    for_programs.emplace_back(more);
  const Outcome as_json = run(for_programs);
  EXPECT_EQ(as_json.code, 0) << as_json.err;
  const json found = json::parse(as_json.out, nullptr, false);
  EXPECT_EQ(found["devices"].size(), 3u) << as_json.out;
  EXPECT_EQ(found["threads"], 2);
  EXPECT_EQ(found["cut"]["pieces"][1]["device"], "npu:0");
}

// More pieces than the program may have descriptors.
TEST_F(Inspect, plan_over_devices_cuts_a_model_into_as_many_pieces_as_it_takes) {
  ModelBuilder b;
  b.input("x", {1, 4, 6, 6});
  b.output("y", {1, 4, 6, 6});
  b.floats("scale", {}, {0.05F});
  std::string last = "x";
  for (int i = 0; i < 24; ++i) {
    const std::string n = std::to_string(i);
    onnx::TensorProto& weights = *b.graph().add_initializer();
    weights.set_name("w" + n);
    weights.set_data_type(onnx::TensorProto::INT8);
    for (const int64_t dim : {4, 4, 1, 1}) weights.add_dims(dim);
    weights.set_raw_data(std::string(16, static_cast<char>(i + 1)));
    onnx::NodeProto& quantise = b.node("DynamicQuantizeLinear", {last}, "q" + n);
    quantise.add_output("s" + n);
    quantise.add_output("z" + n);
    b.node("ConvInteger", {"q" + n, "w" + n}, "c" + n);
    engine::set_int(b.node("Cast", {"c" + n}, "f" + n), "to", onnx::TensorProto::FLOAT);
    last = i == 23 ? "y" : "m" + n;
    b.node("Mul", {"f" + n, "scale"}, last);
  }
  const Outcome done = run({"plan", write(b), "--devices", "cpu:0,npu:0", "--prefer", "npu:0",
                            "--rounds", "1", "--json"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(json::parse(done.out, nullptr, false)["cut"]["pieces"].size(), 49u) << done.out;
}

TEST_F(Inspect, plan_over_devices_that_make_no_sense_is_refused) {
  const std::string model = write(network());
  const auto over = [&](const std::string& devices) {
    return refusal({"plan", model, "--devices", devices});
  };
  EXPECT_TRUE(over("").contains("no device is named"));
  EXPECT_TRUE(over("cpu:0,cpu:0").contains("is named twice"));
  EXPECT_TRUE(over("cpu").contains("is no device's name"));
  EXPECT_TRUE(over("cpu:1").contains("there is no cpu:1"));
  EXPECT_TRUE(over("cuda:0").contains("no driver for 'cuda'"));
  EXPECT_TRUE(over("npu:0").contains("no device takes node"));
  EXPECT_TRUE(refusal({"plan", model, "--devices", "cpu:0", "--prefer", "npu:0"})
                  .contains("not among the devices"));
  EXPECT_TRUE(refusal({"plan", "/dev/zero", "--devices", "cpu:0"}).contains("no regular file"));
  EXPECT_EQ(run({"plan", model, "--print", "--prefer", "cpu:0"}).code, 2) << "of no devices";
}

TEST_F(Inspect, profile_shows_each_layer_beside_a_measured_ceiling) {
  const Outcome text = run({"profile", write(network()), "--rounds", "3", "--by", "order"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(text.out.starts_with("ceilings, measured now with 1 thread: ")) << text.out;
  EXPECT_TRUE(text.out.contains(" Conv ")) << text.out;
  const Outcome threaded =
      run({"profile", write(network()), "--threads", "2", "--batch", "8", "--json"});
  EXPECT_EQ(threaded.code, 0) << threaded.err;
  const json found = json::parse(threaded.out, nullptr, false);
  EXPECT_GT(found["ceiling"]["gflops_per_s"].get<double>(), 1) << threaded.out;
  EXPECT_EQ(found["threads"], 2);
}

TEST_F(Inspect, refuses_what_is_no_regular_file) {
  const std::string fifo = folder_.path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_TRUE(refusal({"check", folder_.path("none")}).contains("there is no file "));
  EXPECT_TRUE(refusal({"check", folder_.path(".")}).contains("is no regular file"));
  EXPECT_TRUE(refusal({"check", fifo}).contains("is no regular file"));
  EXPECT_TRUE(refusal({"check", "/dev/zero"}).contains("is no regular file"));
  EXPECT_TRUE(refusal({"check", folder_.file("empty", {})}).contains("is empty"));
  EXPECT_TRUE(refusal({"check", ""}).contains("there is no file"));
  for (const char* command : {"plan", "profile"})
    EXPECT_TRUE(refusal({command, "/dev/zero", "--json"}).contains("is no regular file"));
}

TEST_F(Inspect, refuses_a_file_that_is_cut_off_and_one_that_is_no_model) {
  const std::string whole = network().bytes();
  for (const size_t length : {size_t{1}, whole.size() / 3, whole.size() - 1}) {
    const std::string path =
        folder_.file("cut", bytes_of(std::string_view(whole).substr(0, length)));
    refusal({"check", path});
    refusal({"plan", path, "--print"});
    refusal({"profile", path});
  }
  refusal({"check", program()});
}

TEST_F(Inspect, refuses_a_file_of_any_size_without_reading_it_into_memory) {
  const std::string path = folder_.path("huge");
  const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_EQ(::ftruncate(fd, 1ll << 40), 0);
  ::close(fd);
  EXPECT_TRUE(refusal({"check", path}).contains("larger than 2 GiB"));
}

TEST_F(Inspect, refuses_a_model_over_the_memory_that_was_allowed) {
  ModelBuilder b;
  b.input("x", {1, 1024});
  b.output("y", {1, 2048});
  b.noise("w", {1024, 2048});
  b.node("MatMul", {"x", "w"}, "y");
  EXPECT_EQ(run({"check", write(b)}).code, 0);
  for (const char* command : {"check", "profile"})
    EXPECT_TRUE(refusal({command, write(b), "--memory", "4"}).contains("memory"));
  // A few bytes that ask for gigabytes.
  ModelBuilder greedy;
  greedy.input("x", {1});
  greedy.output("y", {1 << 15, 1 << 15});
  greedy.integers("shape", {2}, {1 << 15, 1 << 15});
  greedy.node("ConstantOfShape", {"shape"}, "c");
  greedy.node("Add", {"c", "x"}, "y");
  refusal({"check", write(greedy), "--memory", "64"});
}

TEST_F(Inspect, ends_what_takes_too_long) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string said = refusal({"check", write(slow_network()), "--timeout", "0.5"}, 3);
  EXPECT_TRUE(said.contains("no answer within 0.5 s")) << said;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST_F(Inspect, reads_external_data_beside_the_model_if_the_user_says_so) {
  ModelBuilder b = network();
  onnx::TensorProto& weights = *b.graph().mutable_initializer(0);
  weights.clear_raw_data();
  weights.set_data_location(onnx::TensorProto::EXTERNAL);
  auto& entry = *weights.add_external_data();
  entry.set_key("location");
  entry.set_value("w.bin");
  folder_.file("w.bin", bytes_of(std::string_view(std::string(8 * 27 * 4, '\0'))));
  const Outcome done = run({"check", write(b)});
  EXPECT_EQ(done.code, 1);
  EXPECT_TRUE(done.err.contains("external data 'w.bin'")) << done.err;
  EXPECT_TRUE(done.err.contains("--external-data")) << done.err;
  const Outcome read = run({"check", write(b), "--external-data"});
  EXPECT_EQ(read.code, 0) << read.err;
  // Beside the model, and nowhere else.
  entry.set_value("../w.bin");
  EXPECT_TRUE(refusal({"check", write(b), "--external-data"}).contains("leads out of"));
  fs::create_symlink("/etc/passwd", folder_.path("link"));
  entry.set_value("link");
  EXPECT_TRUE(refusal({"check", write(b), "--external-data"}).contains("symbolic link"));
}

TEST_F(Inspect, prints_names_without_control_characters) {
  ModelBuilder b = network();
  b.graph().mutable_node(0)->set_name("red\x1b[31m\r\n\xc2\x9b!");
  b.node("Odd\x1b[2J", {"y"}, "o");
  b.output("o", {-1, 8});
  const auto harmless = [](const std::string& text) {
    return std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
  };
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"check", write(b)}, {"check", write(b), "--json"}}) {
    const Outcome done = run(arguments);
    EXPECT_TRUE(harmless(done.out)) << done.out;
    EXPECT_TRUE(harmless(done.err)) << done.err;
    EXPECT_TRUE(done.out.contains("Odd")) << done.out;
  }
  b.graph().mutable_node()->RemoveLast();
  b.graph().mutable_output()->RemoveLast();
  for (const char* command : {"plan", "profile"}) {
    const Outcome done = run({command, write(b), "--json"});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_TRUE(harmless(done.out)) << done.out;
    EXPECT_TRUE(
        harmless(run({command, write(b), command[1] == 'l' ? "--print" : "--batch=1"}).out));
  }
}

TEST_F(Inspect, mistakes_in_the_command_line_exit_with_two) {
  const std::string model = write(network());
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"check"},
                                             {"check", model, "--batch", "0"},
                                             {"check", model, "--shape", "N"},
                                             {"check", model, "--shape", "N=0"},
                                             {"check", model, "--shape", "N=4x"},
                                             {"check", model, "--memory", "0"},
                                             {"check", model, "--timeout", "0"},
                                             {"check", model, "--threads", "2"},
                                             {"profile", model, "--by", "chance"},
                                             {"profile", model, "--rounds", "0"},
                                             {"plan", model, "--print", "--threads", "0"}}) {
    EXPECT_EQ(run(arguments).code, 2) << arguments.back();
  }
}

// The process that `parent` has started, when it has.
pid_t child_of(pid_t parent) {
  for (int i = 0; i < 500; ++i) {
    std::ifstream children(formatted("/proc/{}/task/{}/children", parent, parent));
    pid_t child = 0;
    if (children >> child) return child;
    std::this_thread::sleep_for(10ms);
  }
  return 0;
}

std::string status_line(pid_t pid, const std::string& name) {
  std::ifstream status(formatted("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return "gone";
}

TEST_F(Inspect, looks_at_a_model_behind_walls_that_stand) {
  const pid_t command = start({"check", write(slow_network()), "--timeout", "60"});
  const pid_t looking = child_of(command);
  ASSERT_GT(looking, 0);
  for (int i = 0; i < 500 && status_line(looking, "Seccomp") == "0"; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(status_line(looking, "Seccomp"), "2");
  EXPECT_EQ(status_line(looking, "NoNewPrivs"), "1");
  EXPECT_EQ(status_line(looking, "CapPrm"), "0000000000000000");
  EXPECT_EQ(status_line(looking, "CapEff"), "0000000000000000");
  // Who ends the command ends what it has started.
  ::kill(command, SIGKILL);
  finish(command);
  for (int i = 0; i < 500 && fs::exists(formatted("/proc/{}", looking)); ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(!fs::exists(formatted("/proc/{}", looking)) ||
              status_line(looking, "State").starts_with("Z"));
}

TEST_F(Inspect, says_in_a_sentence_when_the_program_dies_of_a_signal) {
  const pid_t command = start({"check", write(slow_network()), "--timeout", "60"});
  const pid_t looking = child_of(command);
  ASSERT_GT(looking, 0);
  ::kill(looking, SIGSEGV);
  const Outcome done = finish(command);
  EXPECT_EQ(done.code, 3);
  EXPECT_EQ(done.out, "");
  EXPECT_TRUE(done.err.contains("was ended by SIGSEGV, behind its walls")) << done.err;
  EXPECT_EQ(lines(done.err), 1u);
}

}  // namespace
}  // namespace casemate::tests

// SPDX-License-Identifier: Apache-2.0
#pragma once
// SmallSystem: a real monitor with real jails around the fixture's enclaves, for one test.
//
//   Owns     the monitor's process, a scratch folder, a socket to the driver.
//   Threads  one.
//   Trust    everything in it may be told to be hostile.
//   Fails    make() fails the test with what went wrong.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "outside/launch/operator.h"
#include "tests/fixture/fixture.h"
#include "wire/abi/system.h"

namespace casemate::tests {

// Where the programs under test were built.
std::string build_folder();

struct ModelSpec {
  std::string name;
  std::string partition;
  std::string behaviour = "fine";  // contents of the fixture's model file
  std::string onnx;                // a path: a real model in place of the fixture
};

// What calls the models: the fixture, or another program that takes questions at its listener.
struct DriverSpec {
  std::string program = "casemate-fixture";
  std::string onnx;  // a path: becomes its model file
};

// Where the programs are: $CASEMATE_BUILD, or the build that this test belongs to.
std::string build_folder();

// Sends a signal to a process that this test has started, directly or through others. False, and
// nothing is sent, for any other number: 0 and -1 stand for whole groups of strangers, and are what
// a process that is not there just now is called.
bool hurt(pid_t pid, int signal);

class SmallSystem final {
 public:
  // One driver and these models; `adjust` may change the description before it is started.
  using Adjust = std::function<void(SystemDescription&)>;
  explicit SmallSystem(const std::vector<ModelSpec>& models, const Adjust& adjust = {},
                       const DriverSpec& driver = {});
  ~SmallSystem();

  // Calls a model through the driver.
  fixture::Answer ask(const std::string& model, fixture::Call call,
                      const std::string& argument = "", int timeout_ms = 5000);
  // Sends the driver a question and waits for its answer.
  template <class Answer, class Question>
  std::optional<Answer> exchange(const Question& question, int timeout_ms) {
    Answer answer;
    if (!exchange(bytes_of(question), mutable_bytes_of(answer), timeout_ms)) return std::nullopt;
    return answer;
  }
  std::string text(const fixture::Answer& answer) {
    return std::string(text_of(Bytes(answer.payload).first(answer.length)));
  }
  // Asks until the model answers or time is over.
  bool answers(const std::string& model, int within_ms = 5000);
  // Waits until every partition has its standby: from then on nothing moves by itself.
  bool settled(int within_ms = 10'000);
  // Waits until the partition has been started `epoch` times and all its enclaves run.
  bool started(const std::string& partition, uint32_t epoch, int within_ms = 5000);
  operating::Reply status();
  Status kill(const std::string& partition);
  // Ends the monitor with that signal and waits for it; its status as of waitpid().
  int stop(int signal);
  // Connects to the driver again: an instance that ends takes its connection with it.
  void connect();
  const operating::PartitionStatus partition(const std::string& name);
  const operating::EnclaveStatus enclave(const std::string& name);
  [[nodiscard]] const std::string& folder() const { return folder_; }
  // The operator's.
  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] pid_t monitor() const { return monitor_; }
  // What the monitor and its enclaves have said so far.
  [[nodiscard]] std::string log() const;

 private:
  void start(const SystemDescription& description);
  bool exchange(Bytes question, MutableBytes answer, int timeout_ms);
  std::string folder_;
  std::string socket_;
  std::string driver_;
  Fd client_;
  pid_t monitor_ = -1;
};

}  // namespace casemate::tests

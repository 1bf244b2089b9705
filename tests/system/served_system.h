// SPDX-License-Identifier: Apache-2.0
#pragma once
// ServedSystem: `casemate serve` itself, as a process, on a port of its own, and a client that
// behaves well while others do not.
//
//   Owns     the process, a scratch folder for its state; both are gone afterwards.
//   Threads  a Witness has one of its own; everything else is the test's.
//   Trust    the system is the one that users get: no part of it knows of a test.
//   Fails    by an empty url() with printed() saying why; a Witness reports.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "outside/launch/operator.h"

namespace casemate::tests {

// The folder with the sources, and so with the digits model and its pictures.
std::string source_folder();

class ServedSystem final {
 public:
  // Serves `models` and waits until everything runs. `system_file` is a text for --config, `more`
  // are further arguments, `programs` is where they lie if not in this build.
  explicit ServedSystem(const std::string& models, const std::string& system_file = "",
                        const std::vector<std::string>& more = {},
                        const std::string& programs = "");
  ~ServedSystem();
  ServedSystem(const ServedSystem&) = delete;

  // https://127.0.0.1:PORT; empty when it did not start.
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] uint16_t port() const;
  // Where its run/ and state/ lie, and a test may put files.
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // Everything that it has printed.
  [[nodiscard]] std::string printed() const;
  Result<std::unique_ptr<operating::Reply>> status() const;

 private:
  void start(const std::vector<std::string>& arguments);
  std::string folder_;
  std::string url_;
  pid_t pid_ = -1;
};

// A verified client that asks for one digit after the other, without pause, and knows the answers.
class Witness final {
 public:
  explicit Witness(std::string url) : url_(std::move(url)), thread_([this] { run(); }) {}
  ~Witness() { static_cast<void>(stop()); }

  // Right answers so far.
  [[nodiscard]] uint64_t right() const { return right_; }
  // Waits for one more right answer; false when something went wrong, or after 20 s.
  bool answered_again() const;
  // Ends it. What went wrong first; empty when nothing did.
  std::string stop();

 private:
  void run();
  Status ask_for_digits();
  std::string url_;
  std::string failure_;
  std::atomic<uint64_t> right_ = 0;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace casemate::tests

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Starter: plays the monitor for one partition that serves one model, and asks its template for one
// instance after another, as fast as they come. Jails, runtime, template and instances are the
// product's own: all that is left out of the monitor is what it does between two failures.
//
//   Owns     the processes, a mount namespace of this process, a scratch folder, control groups.
//   Threads  one.
//   Trust    the model is the benchmark's own.
//   Fails    with what could not be started, or the wall that does not stand.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trusted/monitor/launcher.h"

namespace casemate::perf {

struct StarterSpec {
  std::string model;      // an ONNX file
  std::string programs;   // the folder with casemate-mos and casemate-model
  uint64_t cpu_mask = 0;  // cores that the partition may run on; 0: all
};

class Starter final {
 public:
  using Timer = std::chrono::steady_clock;

  // Returns when the template has loaded the model.
  static Result<std::unique_ptr<Starter>> make(const StarterSpec& spec);
  ~Starter();

  // Has the template make an instance, which begins when the one before has ended; returns when it
  // stands behind its last filter and has said so.
  Status start();
  // Refused, with the wall, unless each wall of a jail stands around the instance that runs now.
  [[nodiscard]] Status check_walls() const;
  // Processor time that this process and the partition's have used so far, those that have ended
  // among them. The kernel's own threads, which take namespaces apart, are in nobody's account.
  [[nodiscard]] std::chrono::duration<double> processor_time() const;

  [[nodiscard]] pid_t template_process() const { return template_->child.pid; }

 private:
  Starter() = default;
  Status open(const StarterSpec& spec);
  Status load();
  Status wait_for(control::Type type) const;

  std::string folder_;
  std::optional<monitor::MeasuredSystem> system_;
  std::optional<monitor::Launcher> launcher_;
  std::optional<monitor::Launcher::Started> partition_;
  std::optional<monitor::Launcher::Template> template_;
};

}  // namespace casemate::perf

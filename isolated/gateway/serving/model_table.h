// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModelTable: every model that the gateway serves, by name and version. Models come and go while
// it serves.
//
//   Owns     its models.
//   Threads  one, the loop's.
//   Trust    names given to find() are a client's; names given to add() are checked like them.
//   Fails    add() with kInvalid for a name that no client could ask for, or one that exists.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "isolated/gateway/serving/model.h"

namespace casemate::gateway {

class ModelTable final {
 public:
  ModelTable(Loop& loop, Answering& answering);

  // The model is unavailable until a channel is attached to it. It stays where it is until
  // remove().
  Result<Model*> add(std::string_view name, uint32_t version);
  // Answers what waits for it, and forgets it.
  void remove(Model& model, std::string reason);

  // The version asked for, the highest one for an empty `version`. Fails with kNotFound.
  [[nodiscard]] Result<Model*> find(std::string_view name, std::string_view version) const;
  // By name, then by version.
  [[nodiscard]] std::vector<Model*> models() const;
  // The version numbers of a model, in rising order.
  [[nodiscard]] std::vector<std::string> versions(std::string_view name) const;

  // Model::submit(), with the deadline watched. Requires: inference->deadline is set.
  Status submit(Model& model, std::unique_ptr<Inference> inference);
  void cancel(CallId call);

 private:
  void expire();
  Loop& loop_;
  Answering& answering_;
  std::map<std::string, std::map<uint32_t, std::unique_ptr<Model>>, std::less<>> models_;
  Loop::Timer expiry_;
};

// Succeeds for a name that can stand in a URL and in a metric: 1 to 63 letters, digits, '.', '_'
// or '-', not beginning with '.'.
Status check_model_name(std::string_view name);

}  // namespace casemate::gateway

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Derivations: what was computed from constants, kept so that the next shape that a model is
// planned for finds the same tensors in the same memory, and their packed forms with them.
//
//   Owns     the tensors, and a share of those that they were made from.
//   Threads  one.
//   Trust    n/a.
//   Fails    never.

#include <map>
#include <string>

#include "isolated/engine/graph/tensor.h"

namespace casemate::engine {

class Derivations final {
 public:
  // What `how` made of these sources. The sources count by their memory, not by their elements.
  [[nodiscard]] const std::vector<Tensor>* find(const std::string& how,
                                                const std::vector<Tensor>& sources) const {
    const auto found = made_.find(key_of(how, sources));
    return found == made_.end() ? nullptr : &found->second.results;
  }
  void add(const std::string& how, std::vector<Tensor> sources, std::vector<Tensor> results) {
    if (frozen_) return;
    auto key = key_of(how, sources);
    made_.insert_or_assign(std::move(key), Entry{std::move(sources), std::move(results)});
  }
  // The one tensor that `make` makes of the sources, made once.
  template <class Make>
  Tensor derive(const std::string& how, std::vector<Tensor> sources, Make make) {
    if (const auto* found = find(how, sources)) return found->front();
    Tensor made = make();
    add(how, std::move(sources), {made});
    return made;
  }
  // Calls visit(how, sources, results) for each.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [key, entry] : made_) visit(key.first, entry.sources, entry.results);
  }
  // From here on nothing is added: what is computed while a model serves is not kept for good.
  void freeze() { frozen_ = true; }
  [[nodiscard]] bool frozen() const { return frozen_; }

 private:
  using Key = std::pair<std::string, std::vector<std::pair<const void*, std::string>>>;
  struct Entry {
    std::vector<Tensor> sources;  // kept alive: their identities are the key
    std::vector<Tensor> results;
  };

  static Key key_of(const std::string& how, const std::vector<Tensor>& sources) {
    Key key{how, {}};
    for (const Tensor& source : sources)
      key.second.emplace_back(source.identity(), source.shape().text());
    return key;
  }

  std::map<Key, Entry> made_;
  bool frozen_ = false;
};

}  // namespace casemate::engine

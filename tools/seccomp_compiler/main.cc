// SPDX-License-Identifier: Apache-2.0
// Compiles system-call policies to BPF at build time, so that no jailed program carries a compiler:
//
//   seccomp_compiler POLICY... > filters.inc
//
// A policy is a text file. Each line allows one system call and says why:
//
//   NAME                     # reason
//   NAME argN == VALUE       # reason
//   NAME argN & MASK == V    # reason
//   deny NAME ERRNO          # reason: answered with an error instead of death, for calls that
//                            # libraries only probe
//   others ERRNO             # reason: what is not named gets that error instead of death
//   include OTHER            # everything in OTHER.policy
//   after OTHER              # this filter is stacked on OTHER's
//
// What is not named kills the process unless `others` says otherwise, and so does always another
// architecture's call (int 0x80, x32).
// The kernel asks every filter of a stack, so a call that an earlier one does not name is deadly
// whatever a later one says: that is refused here.
#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <vector>

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& file, int line, const std::string& why) {
  std::cerr << std::format("{}:{}: {}\n", file.string(), line, why);
  std::exit(1);
}

const std::map<std::string, int> kErrors = {
    {"ENOSYS", ENOSYS}, {"EPERM", EPERM}, {"ENOENT", ENOENT}, {"EINVAL", EINVAL}};

struct Place {
  fs::path file;
  int line = 0;
};

uint64_t number(const Place& at, const std::string& text) {
  char* end = nullptr;
  const uint64_t value = std::strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end != '\0')
    refuse(at.file, at.line, std::format("'{}' is no number", text));
  return value;
}

int call_number(const Place& at, const std::string& name) {
  const int call = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name.c_str());
  if (call < 0) refuse(at.file, at.line, std::format("there is no system call '{}'", name));
  return call;
}

struct Rule {
  Place at;
  uint32_t action = 0;
  std::vector<std::string> words;
};

struct Policy {
  std::vector<Rule> rules;
  uint32_t others = SCMP_ACT_KILL_PROCESS;
  fs::path after;  // empty: the first of its stack
};

// argN == VALUE or argN & MASK == VALUE.
scmp_arg_cmp condition(const Place& at, std::span<const std::string> words) {
  const bool masked = words.size() == 5 && words[1] == "&" && words[3] == "==";
  if ((!masked && !(words.size() == 3 && words[1] == "==")) || !words[0].starts_with("arg")) {
    refuse(at.file, at.line,
           "write NAME, or NAME CONDITION [and CONDITION ...] with conditions argN == VALUE or "
           "argN & MASK == VALUE");
  }
  const auto arg = static_cast<unsigned>(number(at, words[0].substr(3)));
  return masked ? scmp_arg_cmp{arg, SCMP_CMP_MASKED_EQ, number(at, words[2]), number(at, words[4])}
                : scmp_arg_cmp{arg, SCMP_CMP_EQ, number(at, words[2]), 0};
}

void add(scmp_filter_ctx filter, const Rule& rule) {
  const auto& [at, action, words] = rule;
  const int call = call_number(at, words[0]);
  std::vector<scmp_arg_cmp> conditions;
  for (auto begin = words.begin() + 1; begin != words.end();) {
    const auto end = std::find(begin, words.end(), "and");
    conditions.push_back(condition(at, {begin, end}));
    begin = end == words.end() ? end : end + 1;
  }
  const int failed = seccomp_rule_add_exact_array(
      filter, action, call, static_cast<unsigned>(conditions.size()), conditions.data());
  if (failed != 0)
    refuse(at.file, at.line, std::format("libseccomp refuses the rule ({})", failed));
}

void read_policy(Policy& policy, const fs::path& file, std::set<fs::path>& seen) {
  if (!seen.insert(file).second) return;
  std::ifstream in(file);
  if (!in) refuse(file, 0, "cannot be read");
  std::string text;
  for (int line = 1; std::getline(in, text); ++line) {
    const size_t hash = text.find('#');
    std::istringstream stream(text.substr(0, hash));
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    if (words.empty()) continue;
    if (hash == std::string::npos || text.find_first_not_of(" #", hash) == std::string::npos) {
      refuse(file, line, "every rule says why, behind a '#'");
    }
    const Place at{file, line};
    if (words[0] == "include" && words.size() == 2) {
      read_policy(policy, file.parent_path() / (words[1] + ".policy"), seen);
    } else if (words[0] == "after" && words.size() == 2) {
      policy.after = file.parent_path() / (words[1] + ".policy");
    } else if (words[0] == "others" && words.size() == 2 && kErrors.contains(words[1])) {
      policy.others = SCMP_ACT_ERRNO(static_cast<uint32_t>(kErrors.at(words[1])));
    } else if (words[0] == "deny" && words.size() == 3 && kErrors.contains(words[2])) {
      policy.rules.push_back(
          {at, SCMP_ACT_ERRNO(static_cast<uint32_t>(kErrors.at(words[2]))), {words[1]}});
    } else {
      policy.rules.push_back({at, SCMP_ACT_ALLOW, words});
    }
  }
}

Policy read_policy(const fs::path& file) {
  Policy policy;
  std::set<fs::path> seen;
  read_policy(policy, file, seen);
  return policy;
}

// Every call of `policy` must survive the filters below it, with these arguments or with all.
void check_stack(const Policy& policy) {
  if (policy.after.empty()) return;
  const Policy below = read_policy(policy.after);
  for (const Rule& rule : policy.rules) {
    const bool survives = std::ranges::any_of(below.rules, [&](const Rule& other) {
      const bool covers =
          other.words == rule.words || (other.words.size() == 1 && other.words[0] == rule.words[0]);
      return covers && (other.action == rule.action || other.action == SCMP_ACT_ALLOW);
    });
    if (!survives) {
      refuse(rule.at.file, rule.at.line,
             std::format("'{}' is deadly all the same, since {} does not name it: add it there",
                         rule.words[0], policy.after.filename().string()));
    }
  }
  check_stack(below);
}

void emit(const fs::path& file) {
  const Policy policy = read_policy(file);
  check_stack(policy);
  scmp_filter_ctx filter = seccomp_init(policy.others);
  if (seccomp_arch_exist(filter, SCMP_ARCH_X86_64) != 0)
    refuse(file, 0, "this compiler runs on x86-64 only");
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  // libseccomp's own choice ends only the thread that makes a 32-bit call.
  seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  for (const Rule& rule : policy.rules) {
    if (rule.action != policy.others) add(filter, rule);  // it would be no rule
  }
  std::FILE* scratch = std::tmpfile();
  if (seccomp_export_bpf(filter, fileno(scratch)) != 0)
    refuse(file, 0, "libseccomp cannot export the filter");
  std::rewind(scratch);
  std::string name = file.stem().string();
  name[0] = static_cast<char>(std::toupper(name[0]));
  std::cout << std::format("inline constexpr sock_filter k{}[] = {{\n", name);
  struct Instruction {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
  } instruction{};
  while (std::fread(&instruction, sizeof instruction, 1, scratch) == 1) {
    std::cout << std::format("  {{{:#x}, {}, {}, {:#x}}},\n", instruction.code, instruction.jt,
                             instruction.jf, instruction.k);
  }
  std::cout << "};\n";
  std::fclose(scratch);
  seccomp_release(filter);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) emit(argv[i]);
  return argc > 1 ? 0 : 2;
}

// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/jail.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/format.h"
#include "tests/fault/processes.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string first_argument(pid_t pid) {
  std::ifstream file(formatted("/proc/{}/cmdline", pid));
  std::string name;
  std::getline(file, name, '\0');
  return name;
}

Jail describe(pid_t pid, Jail::Kind kind, bool active) {
  Jail jail{pid, kind, first_argument(pid), "", active};
  // The root of a mount is the fourth word: /roots/e1.
  const auto mounts = jail.lines("mountinfo");
  const auto words = mounts.empty() ? std::vector<std::string>{} : words_of(mounts.front());
  if (words.size() > 3) jail.root = fs::path(words[3]).filename();
  return jail;
}

}  // namespace

std::vector<std::string> Jail::status(const std::string& key) const {
  for (const std::string& line : lines("status")) {
    if (line.starts_with(key + ":")) return words_of(line.substr(key.size() + 1));
  }
  return {"missing"};
}

std::string Jail::space(const std::string& kind_of_space) const {
  std::error_code error;
  return fs::read_symlink(folder() / "ns" / kind_of_space, error);
}

std::vector<std::string> Jail::lines(const std::string& file) const {
  std::ifstream stream(folder() / file);
  std::vector<std::string> all;
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

std::map<int, std::string> Jail::descriptors() const {
  std::map<int, std::string> all;
  std::error_code error;
  for (fs::directory_iterator it(folder() / "fd", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    all[std::stoi(it->path().filename())] = fs::read_symlink(it->path(), gone);
  }
  return all;
}

bool Jail::only_readable(int descriptor) const {
  for (const std::string& line : lines(formatted("fdinfo/{}", descriptor))) {
    if (line.starts_with("flags:"))
      return (std::stoul(line.substr(6), nullptr, 8) & O_ACCMODE) == O_RDONLY;
  }
  return false;
}

std::set<std::string> Jail::files() const {
  std::set<std::string> all;
  const fs::path top = folder() / "root/";
  std::error_code error;
  for (fs::recursive_directory_iterator it(top, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path().string().substr(top.string().size() - 1);
    const bool folder = it->is_directory() && !it->is_symlink();
    all.insert(path + (folder ? "/" : it->is_symlink() ? " -> elsewhere" : ""));
  }
  if (error) all.insert("not all could be listed: " + error.message());
  return all;
}

fs::path Jail::folder() const { return formatted("/proc/{}", pid); }

std::string Jail::title() const {
  const char* kinds[] = {"runtime", "template", "instance", "spare"};
  return formatted("{} {} of {}, {} (process {})", name, kinds[static_cast<int>(kind)], root,
                   active ? "active" : "standby", pid);
}

std::vector<Jail> jails_of(pid_t monitor, const std::set<pid_t>& active_runtimes) {
  std::vector<Jail> all;
  for (const pid_t mos : descendants(monitor)) {
    if (first_argument(mos) != "mos") continue;
    const bool active = active_runtimes.contains(mos);
    all.push_back(describe(mos, Jail::Kind::kMos, active));
    pid_t loaded = -1;
    for (size_t i = 0; (loaded = template_of(mos, i)) > 0; ++i) {
      all.push_back(describe(loaded, Jail::Kind::kTemplate, active));
      pid_t born = -1;
      for (size_t k = 0; (born = instance_of(loaded, k)) > 0; ++k) {
        const bool serves = active && k == 0;
        all.push_back(describe(born, serves ? Jail::Kind::kInstance : Jail::Kind::kSpare, active));
      }
    }
  }
  return all;
}

}  // namespace casemate::tests

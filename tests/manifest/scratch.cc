// SPDX-License-Identifier: Apache-2.0
#include "tests/manifest/scratch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/format.h"

namespace casemate::tests {

namespace fs = std::filesystem;

Scratch::Scratch() {
  std::string name = "/tmp/casemate-test-XXXXXX";
  EXPECT_NE(::mkdtemp(name.data()), nullptr);
  folder_ = name;
}

Scratch::~Scratch() {
  std::error_code error;
  fs::remove_all(folder_, error);
}

std::string Scratch::write(const std::string& name, const std::string& content) const {
  const std::string file = path(name);
  fs::create_directories(fs::path(file).parent_path());
  std::ofstream(file) << content;
  EXPECT_TRUE(fs::exists(file)) << file;
  return file;
}

std::string Scratch::programs() const {
  fs::create_directories(path("programs"));
  for (const char* program : {"casemate-mos", "casemate-gateway", "casemate-model", "casemate-npu",
                              "casemate-opencl-device"})
    fs::create_symlink("/bin/true", path("programs") + "/" + program);
  return path("programs");
}

bool sentence(const std::string& text) {
  return text.size() > 20 && text.size() < 1000 &&
         std::ranges::none_of(text, [](unsigned char c) { return c < ' '; });
}

std::vector<launch::ModelFiles> models_named(const std::vector<std::string>& names, size_t files) {
  std::vector<launch::ModelFiles> models;
  for (const std::string& name : names) {
    launch::ModelFiles model{name, 1, "/models/" + name + "/1", {"model.onnx"}};
    for (size_t i = 1; i < files; ++i) model.files.push_back(formatted("weights-{}", i));
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace casemate::tests

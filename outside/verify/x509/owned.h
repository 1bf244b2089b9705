// SPDX-License-Identifier: Apache-2.0
#pragma once
// Owned: an object of libcrypto that goes when its owner does.
//
//   Owned<X509, X509_free> certificate(X509_new());
//
//   Owns     one object, or none.
//   Threads  as unique_ptr.
//   Trust    none.
//   Fails    by being null, where libcrypto had no memory or could not read something.

#include <memory>

namespace casemate::verify {

template <auto kFree>
struct FreedBy {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

template <class T, auto kFree>
using Owned = std::unique_ptr<T, FreedBy<kFree>>;

}  // namespace casemate::verify

#pragma once

#include <type_traits>
#include <utility>

// One description of a struct's fields serves the JSON codec, the byte codec and the digest:
//
//   struct Leg {
//     ShareId share;
//     Credits amount;
//     TENBIN_FIELDS(share, amount)
//   };
//
// `visit_fields(leg, [](std::string_view name, auto& field) { ... })` calls once per field, in
// order. The order and the names are part of the formats in docs/formats.

#define TENBIN_PARENS ()
#define TENBIN_EXPAND(...) TENBIN_EXPAND3(TENBIN_EXPAND3(TENBIN_EXPAND3(__VA_ARGS__)))
#define TENBIN_EXPAND3(...) TENBIN_EXPAND2(TENBIN_EXPAND2(TENBIN_EXPAND2(__VA_ARGS__)))
#define TENBIN_EXPAND2(...) TENBIN_EXPAND1(TENBIN_EXPAND1(TENBIN_EXPAND1(__VA_ARGS__)))
#define TENBIN_EXPAND1(...) __VA_ARGS__
#define TENBIN_EACH(field, ...) \
  visit(#field, self.field);    \
  __VA_OPT__(TENBIN_EACH_AGAIN TENBIN_PARENS(__VA_ARGS__))
#define TENBIN_EACH_AGAIN() TENBIN_EACH

#define TENBIN_FIELDS(...)                                                                    \
  template <class Self, class Visit>                                                          \
  static constexpr void fields([[maybe_unused]] Self& self, [[maybe_unused]] Visit&& visit) { \
    __VA_OPT__(TENBIN_EXPAND(TENBIN_EACH(__VA_ARGS__)))                                       \
  }

namespace tenbin {

template <class T>
concept HasFields =
    requires(T& t) { std::remove_cvref_t<T>::fields(t, [](const char*, auto&) {}); };

template <HasFields T, class Visit>
constexpr void visit_fields(T& value, Visit&& visit) {
  std::remove_cv_t<T>::fields(value, std::forward<Visit>(visit));
}

}  // namespace tenbin

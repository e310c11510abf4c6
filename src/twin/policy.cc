#include "twin/policy.h"

#include <array>

namespace tenbin {

namespace {

struct Named {
  std::string_view name, order, backfill;
};
constexpr std::array all{
    Named{"fifo", "fifo", "none"},
    Named{"sjf", "sjf", "none"},
    Named{"easy", "fifo", "easy"},
    Named{"cons", "fifo", "conservative"},
    Named{"consz", "fifo", "conservative_rebuilt"},
};

}  // namespace

std::optional<Policy> policy_named(std::string_view name) {
  for (const Named& named : all) {
    if (named.name != name) continue;
    const auto order = value_named<QueueOrder>(named.order);
    const auto backfill = value_named<Backfill>(named.backfill);
    if (!order || !backfill) return std::nullopt;
    return Policy{.order = *order, .backfill = *backfill};
  }
  return std::nullopt;
}

std::span<const std::string_view> named_policies() {
  static const auto there = [] {
    std::pair<std::array<std::string_view, all.size()>, std::size_t> names{};
    for (const Named& named : all) {
      if (policy_named(named.name)) names.first[names.second++] = named.name;
    }
    return names;
  }();
  return {there.first.data(), there.second};
}

std::string words_of(const Policy& policy) {
  return std::string(name_of(policy.order)) + ", " + std::string(name_of(policy.backfill)) + ", " +
         std::string(name_of(policy.placement));
}

}  // namespace tenbin

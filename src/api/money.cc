#include <algorithm>
#include <array>
#include <map>
#include <ranges>
#include <set>

#include "api/api.h"

// Balances and statements: sums over the ledger's own accounts, with the history's lines beside.

namespace tenbin {

namespace {

void write_sums(JsonWriter& out, const Sums& sums) {
  out.member("free", text_of(sums.free)).member("held", text_of(sums.held));
  out.member("spent", text_of(sums.spent)).member("expired", text_of(sums.expired));
}

Credits amount_of(const World& world, const Share& share) {
  return world.accounts.at(share.free).credits_posted;
}

/// The balance's members, without the braces around them.
void write_balance(JsonWriter& out, const World& world, PersonId by, ProjectId id) {
  const Project& project = world.projects.at(id);
  const std::vector<ShareId> shares = seen_shares(world, by, id);
  Sums sums;
  Credits allocated;
  for (const ShareId s : shares) {
    sums.add(world, world.shares.at(s));
    allocated += amount_of(world, world.shares.at(s));
  }
  out.member("project", project.name)
      .member("title", project.title)
      .member("allocated", text_of(allocated));
  write_sums(out, sums);
  out.key("shares").begin_array();
  for (const ShareId s : shares) {
    const Share& share = world.shares.at(s);
    const Lot& lot = world.lots.at(share.lot);
    Sums one;
    one.add(world, share);
    out.begin_object().member("allocation", world.allocations.at(share.allocation).name);
    out.member("grant", world.grants.at(lot.grant).name)
        .member("funder", world.funders.at(lot.funder).name);
    out.member("lot", lot.name).member("expires", text_of(lot.expires)).key("regions");
    write_regions(out, world, lot.regions);
    out.member("amount", text_of(amount_of(world, share)));
    write_sums(out, one);
    out.end_object();
  }
  out.end_array();
}

}  // namespace

std::vector<ShareId> seen_shares(const World& world, PersonId by, ProjectId project) {
  std::vector<ShareId> shares;
  for (const ShareId s : world.projects.at(project).shares) {
    const Lot& lot = world.lots.at(world.shares.at(s).lot);
    if (may_see(world, by, Question::allocation,
                {.project = project, .programme = world.grants.at(lot.grant).programme})) {
      shares.push_back(s);
    }
  }
  return shares;
}

Credits expired_of(const World& world, const Share& share) {
  // What left the share without being captured went to the lot's expired account.
  return world.accounts.at(share.free).debits_posted - world.accounts.at(share.used).credits_posted;
}

void Sums::add(const World& world, const Share& share) {
  const Account& account = world.accounts.at(share.free);
  free += account.free();
  held += account.debits_pending;
  spent += world.accounts.at(share.used).balance();
  expired += expired_of(world, share);
}

void Api::balance(const CallPtr& call, const std::string& name) {
  const auto text = live_.read([&](const World& world) -> std::optional<std::string> {
    const auto found = world.index.projects.find(name);
    if (found == world.index.projects.end() ||
        !may_see(world, call->caller, Question::credit, {.project = found->second})) {
      return std::nullopt;
    }
    std::string body;
    JsonWriter out(body);
    out.begin_object();
    write_balance(out, world, call->caller.person, found->second);
    out.end_object();
    return body;
  });
  if (!text) return call->deny(refuse(Reason::unknown_project));
  call->reply(ok(*text));
}

void Api::project_statement(const CallPtr& call, const std::string& name) {
  Query query(call->query);
  static constexpr std::array<std::string_view, 1> oldest_first{"at"};
  const Page page = read_page(query, call->request, call->query, oldest_first, 100);
  ChargeQuery wanted{.project = name,
                     .from = query.instant("from", Instant{0}),
                     .to = query.instant("to", Instant{INT64_MAX}),
                     .limit = page.limit + 1};
  if (wanted.to <= wanted.from)
    query.complain("to", "must come after from", "from より後の日時を指定してください");
  if (const std::size_t dot = page.after.find('.'); dot != std::string::npos) {
    wanted.after_at = Instant{parse_decimal(page.after.substr(0, dot), 0).value_or(0)};
    wanted.after_sequence =
        static_cast<std::uint64_t>(parse_decimal(page.after.substr(dot + 1), 0).value_or(0));
  }
  if (query.finish()) return call->deny(*query.finish());
  slowly([this, call, name, page, wanted] {
    std::string body;
    JsonWriter out(body);
    out.begin_object();
    bool there = false, adds_up = true, whole = false, jobs_seen = false;
    std::map<std::pair<std::string, std::string>, Credits> paid;  // funder, grant
    std::set<std::string, std::less<>> grants;                    // whose charges are shown
    Credits spent;
    live_.read([&](const World& world) {
      const auto found = world.index.projects.find(name);
      there = found != world.index.projects.end() &&
              may_see(world, call->caller, Question::credit, {.project = found->second});
      if (!there) return;
      jobs_seen = may_see(world, call->caller, Question::jobs, {.project = found->second});
      write_balance(out, world, call->caller.person, found->second);
      Sums sums;
      Credits allocated;
      const std::vector<ShareId> seen = seen_shares(world, call->caller.person, found->second);
      whole = seen.size() == world.projects.at(found->second).shares.size();
      for (const ShareId s : seen) {
        const Share& share = world.shares.at(s);
        const Lot& lot = world.lots.at(share.lot);
        grants.insert(world.grants.at(lot.grant).name);
        const Credits used = world.accounts.at(share.used).balance();
        if (used > Credits{0})
          paid[{world.funders.at(lot.funder).name, world.grants.at(lot.grant).name}] += used;
        spent += used;
        sums.add(world, share);
        allocated += amount_of(world, share);
      }
      adds_up = sums.free + sums.held + sums.spent + sums.expired == allocated;
    });
    if (!there) return call->deny(refuse(Reason::unknown_project));

    // The lines: each record's charges to lots, gathered by job. What the sums have is there by
    // then.
    if (!live_.catch_up_history()) return call->deny(history_behind());
    auto rows = live_.history().charges(wanted);
    const auto in_period = live_.history().charged(name, wanted.from, wanted.to);
    const auto listed = live_.history().charged(name, Instant{0}, Instant{INT64_MAX});
    if (!rows || !in_period || !listed) return call->deny(internal_error());
    std::string next;
    if (rows->size() >= wanted.limit) {  // more may follow
      const ChargeRow& last = rows->back();
      next = std::to_string(last.at.ms) + "." + std::to_string(last.sequence);
    }
    // The history has no sum of a part of the lots; the ledger has it for all time.
    out.key("charged");
    if (whole) {
      out.value(text_of(*in_period));
    } else if (wanted.from.ms <= 0 && wanted.to.ms == INT64_MAX) {
      out.value(text_of(spent));
    } else {
      out.null();
    }
    std::erase_if(*rows, [&](const ChargeRow& row) { return !grants.contains(row.grant); });
    out.key("lines").begin_array();
    std::size_t lines = 0;
    for (std::size_t i = 0; i < rows->size(); ++lines) {
      // The rows of one record stay together, so a page may have a few lines more.
      if (lines >= page.limit && (*rows)[i].sequence != (*rows)[i - 1].sequence) {
        const ChargeRow& last = (*rows)[i - 1];
        next = std::to_string(last.at.ms) + "." + std::to_string(last.sequence);
        break;
      }
      const std::uint64_t job_id = (*rows)[i].job;
      const auto over =
          jobs_seen ? live_.history().job(job_id) : Result<std::optional<SettledJob>>{std::nullopt};
      const SettledJob* job = over && *over ? &**over : nullptr;
      Credits charged;
      std::size_t end = i;
      while (end < rows->size() && (*rows)[end].job == job_id &&
             (*rows)[end].sequence == (*rows)[i].sequence) {
        charged += (*rows)[end++].amount;
      }
      out.begin_object().member("at", text_of((*rows)[i].at)).member("job", job_id);
      member_or_null(out, "name", jobs_seen, job ? job->name : std::string());
      member_or_null(out, "state", jobs_seen, job ? job->state : std::string());
      out.member("charged", text_of(charged)).key("parts").begin_array();
      for (; i < end; ++i) {
        const ChargeRow& row = (*rows)[i];
        out.begin_object()
            .member("grant", row.grant)
            .member("funder", row.funder)
            .member("lot", row.lot);
        out.member("amount", text_of(row.amount)).end_object();
      }
      out.end_array().end_object();
    }
    out.end_array().key("paid_by").begin_array();
    Credits paid_sum;
    for (const auto& [who, amount] : paid) {
      out.begin_object()
          .member("funder", who.first)
          .member("grant", who.second)
          .member("amount", text_of(amount))
          .end_object();
      paid_sum += amount;
    }
    out.end_array();
    member_or_null(out, "next", !next.empty(), cursor_after(call->request, call->query, next));
    // A job may have ended between the two looks: then the lines are ahead of the sums, never
    // behind.
    out.member("adds_up", adds_up && paid_sum == spent && (!whole || *listed >= spent))
        .end_object();
    call->reply(ok(std::move(body)));
  });
}

void Api::statement(const CallPtr& call) {
  const bool any = live_.read(
      [&](const World& world) { return may_see(world, call->caller, Question::spending); });
  if (!any) return call->deny(refuse(Reason::not_permitted));
  struct Row {
    Sums sums;
    Credits in_lots, unallocated;
    bool adds_up() const {
      return unallocated + sums.free + sums.held + sums.spent + sums.expired == in_lots;
    }
    void add(const Row& other) {
      sums.free += other.sums.free;
      sums.held += other.sums.held;
      sums.spent += other.sums.spent;
      sums.expired += other.sums.expired;
      in_lots += other.in_lots;
      unallocated += other.unallocated;
    }
  };
  const auto write_row = [](JsonWriter& out, const Row& row) {
    out.member("in_lots", text_of(row.in_lots)).member("unallocated", text_of(row.unallocated));
    write_sums(out, row.sums);
  };
  std::string body = live_.read([&](const World& world) {
    // Who has a role in programmes only sees their grants, and not what funders give to others.
    const bool all_funders = may_see(world, call->caller, Question::funders);
    const auto seen = [&](const Lot& lot) {
      return may_see(world, call->caller, Question::spending,
                     {.programme = world.grants.at(lot.grant).programme});
    };
    std::map<std::pair<FunderId, GrantId>, Row> rows;
    world.lots.each([&](LotId, const Lot& lot) {
      if (!seen(lot)) return;
      Row& row = rows[{lot.funder, lot.grant}];
      row.in_lots += lot.credits;
      const Account& unallocated = world.accounts.at(lot.unallocated);
      row.unallocated += unallocated.free();
      row.sums.expired += world.accounts.at(lot.gone).balance();
    });
    world.shares.each([&](ShareId, const Share& share) {
      const Lot& lot = world.lots.at(share.lot);
      if (!seen(lot)) return;
      Sums one;
      one.add(world, share);
      one.expired = {};  // counted with its lot
      rows[{lot.funder, lot.grant}].add({one, {}, {}});
    });
    std::string text;
    JsonWriter out(text);
    out.begin_object().key("funders").begin_array();
    bool adds_up = true;
    world.funders.each([&](FunderId id, const Funder& funder) {
      const Account& account = world.accounts.at(funder.account);
      Row all;
      const auto first = rows.lower_bound({id, GrantId{}});
      const auto last = rows.lower_bound({FunderId{id.value + 1}, GrantId{}});
      for (auto row = first; row != last; ++row) all.add(row->second);
      if (!all_funders && first == last) return;
      adds_up = adds_up && all.adds_up() && (!all_funders || all.in_lots == account.debits_posted);
      out.begin_object().member("funder", funder.name).member("title", funder.title);
      out.key("promised");
      if (all_funders) {
        out.value(text_of(account.overdraft));
      } else {
        out.null();
      }
      write_row(out, all);
      out.key("grants").begin_array();
      for (const auto& [key, row] : std::ranges::subrange(first, last)) {
        const Grant& grant = world.grants.at(key.second);
        adds_up = adds_up && row.adds_up();
        out.begin_object()
            .member("grant", grant.name)
            .member("programme", world.programmes.at(grant.programme).name);
        out.member("organisation", world.organisations.at(grant.organisation).name);
        write_row(out, row);
        out.end_object();
      }
      out.end_array().end_object();
    });
    out.end_array().member("adds_up", adds_up).end_object();
    return text;
  });
  call->reply(ok(std::move(body)));
}

}  // namespace tenbin

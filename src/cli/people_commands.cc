#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/options.h"

namespace tenbin::cli {

Outcome<int> token_create(Context& context, const Words& words) {
  std::string person, label, expires;
  bool read_only = false;
  Options options("token create", "--person NAME [--label TEXT] [--expires INSTANT] [--read-only]",
                  Phrase::token_create_about);
  options.value("--person", "NAME", person, Phrase::opt_token_person)
      .value("--label", "TEXT", label, Phrase::opt_token_label)
      .value("--expires", "INSTANT", expires, Phrase::opt_token_expires)
      .flag("--read-only", read_only, Phrase::opt_token_read_only);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (person.empty()) {
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, "--person"),
                context.say(Phrase::hint_help, "token create"));
  }

  std::string body;
  JsonWriter out(body);
  out.begin_object().member("person", person);
  if (!label.empty()) out.member("label", label);
  if (!expires.empty()) out.member("expires", expires);
  if (read_only) out.member("scope", "read");
  out.end_object();
  const auto answer = Service(context).post("/v1/tokens", body);
  if (!answer) return std::unexpected(answer.error());

  if (context.format ==
      Format::table) {  // the secret alone, so that it can go straight into a file
    context.print_line(raw_text(answer->json["token"]));
    context.note(context.say(Phrase::token_created, raw_text(answer->json["id"])));
  } else {
    print_object(context, *answer, {{"id", Phrase::col_id}, {"token", Phrase::col_token}});
  }
  return 0;
}

Outcome<int> token_list(Context& context, const Words& words) {
  Options options("token list", "", Phrase::token_list_about);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto answer = Service(context).get("/v1/tokens");
  if (!answer) return std::unexpected(answer.error());
  print_items(context, *answer,
              {{"id", Phrase::col_id, Kind::number},
               {"person", Phrase::col_person},
               {"label", Phrase::col_label},
               {"ends_in", Phrase::col_ends_in},
               {"scope", Phrase::col_scope},
               {"expires", Phrase::col_expires, Kind::instant},
               {"state", Phrase::col_state, Kind::word},
               {"revoked", Phrase::col_revoked, Kind::yes_no}});
  return 0;
}

Outcome<int> token_revoke(Context& context, const Words& words) {
  std::string id;
  Options options("token revoke", "ID", Phrase::token_revoke_about);
  options.word("ID", id, Options::Need::required);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto answer = Service(context).post(path("/v1/tokens/", id, "/revoke"));
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::json)
    print_json(context, answer->body);
  else
    context.print_line(context.say(Phrase::token_revoked, id));
  return 0;
}

Outcome<int> whoami(Context& context, const Words& words) {
  Options options("whoami", "", Phrase::whoami_about);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto answer = Service(context).get("/v1/whoami");
  if (!answer) return std::unexpected(answer.error());
  print_object(context, *answer,
               {{"person", Phrase::col_person},
                {"title", Phrase::col_title},
                {"role", Phrase::col_role},
                {"projects", Phrase::col_projects}});
  return 0;
}

}  // namespace tenbin::cli

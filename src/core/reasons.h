#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tenbin {

/// What a figure of a refusal counts, so that a shell can write it for a person.
enum class Figure : std::uint8_t {
  none,
  number,
  credits,
  gpus,
  milli_cpus,
  mebibytes,
  span,
  instant,
  thing,    // a Thing
  property  // a Property
};

/// What can be declared under a name, for reasons that say what is the same. Name, English,
/// Japanese.
#define TENBIN_THINGS(X)                  \
  X(thing, "thing", "項目")               \
  X(funder, "funder", "資金提供者")       \
  X(programme, "programme", "プログラム") \
  X(organisation, "organisation", "組織") \
  X(grant, "grant", "助成")               \
  X(lot, "lot", "ロット")                 \
  X(project, "project", "プロジェクト")   \
  X(allocation, "allocation", "配分")     \
  X(person, "person", "利用者")           \
  X(provider, "provider", "提供者")       \
  X(region, "region", "地域")             \
  X(pool, "pool", "プール")               \
  X(node, "node", "ノード")               \
  X(token, "token", "トークン")

/// What may differ and cannot be changed.
#define TENBIN_PROPERTIES(X)                           \
  X(property, "content", "内容")                       \
  X(currency, "currency", "通貨")                      \
  X(rate, "rate of credits", "クレジットの換算率")     \
  X(programme, "programme", "プログラム")              \
  X(organisation, "organisation", "組織")              \
  X(grant, "grant", "助成")                            \
  X(funder, "funder", "資金提供者")                    \
  X(project, "project", "プロジェクト")                \
  X(lot, "lot", "ロット")                              \
  X(valid_from, "start of validity", "有効期間の開始") \
  X(regions, "list of regions", "利用できる地域")      \
  X(provider, "provider", "提供者")                    \
  X(region, "region", "地域")                          \
  X(gpu_model, "GPU model", "GPU の型番")              \
  X(node_size, "size of a node", "ノードの大きさ")     \
  X(pool, "pool", "プール")                            \
  X(first_device, "first device", "先頭のデバイス番号")

#define TENBIN_WORD_NAME(name, english, japanese) name,
enum class Thing : std::uint8_t { TENBIN_THINGS(TENBIN_WORD_NAME) };
enum class Property : std::uint8_t { TENBIN_PROPERTIES(TENBIN_WORD_NAME) };
#undef TENBIN_WORD_NAME

struct Word {
  std::string_view name, english, japanese;
};
#define TENBIN_WORD(name, english, japanese) Word{#name, english, japanese},
inline constexpr auto thing_words = std::to_array<Word>({TENBIN_THINGS(TENBIN_WORD)});
inline constexpr auto property_words = std::to_array<Word>({TENBIN_PROPERTIES(TENBIN_WORD)});
#undef TENBIN_WORD
constexpr auto enum_names(Thing) {
  std::array<std::string_view, thing_words.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = thing_words[i].name;
  return names;
}

// Every way in which the World says no. The name is also the API's error code and the key of both
// texts: one word in four places. {0} to {3} are the refusal's figures.
//
//  name, figures' kinds, English, Japanese
#define TENBIN_REASONS(X)                                                                          \
  X(not_permitted, (none),                                                                         \
    "you may not do this; ask for the role that may: officer for programmes and credit, operator " \
    "for the fleet, member of the project for its jobs",                                           \
    "この操作の権限がありません。プログラムとクレジットは officer、計算機は "                      \
    "operator、ジョブはプロジェクトの member が行えます")                                          \
  X(name_invalid, (none),                                                                          \
    "a name is 1 to 64 characters: a-z, 0-9, '-', '_', '.', beginning with a letter or digit",     \
    "名前は a-z、0-9、'-'、'_'、'.' からなる 1～64 文字で、英数字で始めてください")                \
  X(title_too_long, (number), "a title has at most {0} bytes", "表題は {0} バイトまでです")        \
  X(text_invalid, (none), "a text must be UTF-8", "文字列は UTF-8 で指定してください")             \
  X(name_taken, (thing, property),                                                                 \
    "this {0} exists already with another {1}, and that cannot be changed; declare it as it is, "  \
    "or choose "                                                                                   \
    "another name",                                                                                \
    "この{0}は別の{1}で登録済みで、{1}"                                                            \
    "は変更できません。登録済みの内容に合わせるか、別の名前を選んでください")                      \
  X(unknown_funder, (none), "no funder of this name; create it first",                             \
    "その資金提供者は登録されていません。先に登録してください")                                    \
  X(unknown_programme, (none), "no programme of this name; create it first",                       \
    "そのプログラムは登録されていません。先に登録してください")                                    \
  X(unknown_organisation, (none), "no organisation of this name; create it first",                 \
    "その組織は登録されていません。先に登録してください")                                          \
  X(unknown_grant, (none), "no grant of this name; create it first",                               \
    "その助成は登録されていません。先に登録してください")                                          \
  X(unknown_lot, (none), "no lot of this name in this grant", "その助成にそのロットはありません")  \
  X(unknown_project, (none), "no project of this name; create it first",                           \
    "そのプロジェクトは登録されていません。先に登録してください")                                  \
  X(unknown_person, (none), "no person of this name; create it first",                             \
    "その利用者は登録されていません。先に登録してください")                                        \
  X(unknown_token, (none), "no such token", "そのトークンはありません")                            \
  X(unknown_provider, (none), "no provider of this name; create it first",                         \
    "その提供者は登録されていません。先に登録してください")                                        \
  X(unknown_region, (none), "no region of this name; `tenbin fleet` lists them",                   \
    "その地域は登録されていません。`tenbin fleet` で一覧できます")                                 \
  X(unknown_gpu_model, (none), "no node offers a GPU of this model; `tenbin fleet` lists them",    \
    "その型番の GPU はありません。`tenbin fleet` で一覧できます")                                  \
  X(unknown_pool, (none), "no pool of this name; `tenbin fleet` lists them",                       \
    "そのプールは登録されていません。`tenbin fleet` で一覧できます")                               \
  X(unknown_node, (none), "no node of this name; `tenbin fleet` lists them",                       \
    "そのノードは登録されていません。`tenbin fleet` で一覧できます")                               \
  X(unknown_job, (none), "no such job; `tenbin jobs` lists them",                                  \
    "そのジョブはありません。`tenbin jobs` で一覧できます")                                        \
  X(too_many, (number), "at most {0} of these can exist", "登録できるのは {0} 個までです")         \
  X(amount_must_be_positive, (none), "an amount must be greater than zero",                        \
    "金額は 0 より大きくしてください")                                                             \
  X(amount_too_large, (none), "the amount is larger than the ledger can hold",                     \
    "金額が台帳の上限を超えています")                                                              \
  X(currency_invalid, (none),                                                                      \
    "a currency is three capital letters (ISO 4217), the same as the funder's",                    \
    "通貨は資金提供者と同じ 3 文字の大文字（ISO 4217）で指定してください")                         \
  X(commitment_exceeded, (credits, credits),                                                       \
    "the lot needs {0} credits, the funder has promised {1} more",                                 \
    "ロットには {0} クレジットが必要ですが、資金提供者の約束の残りは {1} です")                    \
  X(validity_invalid, (none),                                                                      \
    "a lot must be valid from an instant before its expiry, both before 2100",                     \
    "ロットの有効期間は 2100 年までの、開始が期限より前の期間にしてください")                      \
  X(lot_expired, (instant), "the lot expired on {0}", "ロットは {0} に失効しました")               \
  X(lot_not_expired, (instant), "the lot is valid until {0}", "ロットは {0} まで有効です")         \
  X(insufficient_grant, (credits, credits),                                                        \
    "the allocation needs {0} credits, the grant has {1} unallocated",                             \
    "配分には {0} クレジットが必要ですが、助成の未配分は {1} です")                                \
  X(price_invalid, (credits),                                                                      \
    "a price per GPU hour is between 0 and {0} credits, and the factor for fractions between 1 "   \
    "and 10",                                                                                      \
    "GPU 時間単価は 0～{0} クレジット、端数の係数は 1～10 にしてください")                         \
  X(node_shape_invalid, (number), "a node has 1 to {0} GPUs, and no negative CPUs or memory",      \
    "ノードの GPU は 1～{0} 個、CPU とメモリは 0 以上にしてください")                              \
  X(pool_is_counted, (none), "this pool counts GPUs and has no nodes",                             \
    "このプールは GPU 数だけを数えるもので、ノードはありません")                                   \
  X(resources_invalid, (none),                                                                     \
    "CPUs and memory of a job are 0 or more, and no more than a node could have",                  \
    "ジョブの CPU とメモリは 0 以上で、ノードが持ちうる範囲にしてください")                        \
  X(members_invalid, (number), "a job has 1 to {0} members", "ジョブのメンバー数は 1～{0} です")   \
  X(tasks_invalid, (number), "an array has 1 to {0} tasks", "配列ジョブのタスク数は 1～{0} です")  \
  X(tasks_at_once_invalid, (none), "tasks_at_once is for arrays; a single job has no tasks",       \
    "tasks_at_once は配列ジョブ専用です。単独のジョブには指定できません")                          \
  X(too_many_live_jobs, (number, number, number),                                                  \
    "the project has {0} jobs that are not over; {1} more would be above the limit of {2}. Wait "  \
    "for some to end, or "                                                                         \
    "cancel some",                                                                                 \
    "プロジェクトには終了していないジョブが {0} 件あり、{1} 件を加えると上限 {2} を超えます。"     \
    "終了を待つか、不要なジョブを取り消してください")                                              \
  X(after_invalid, (number), "a job comes after at most {0} other jobs",                           \
    "待ち合わせに指定できるジョブは {0} 件までです")                                               \
  X(unknown_after, (number, number),                                                               \
    "job {0}, which this one is to come after, does not exist or ended more than {1} days ago; "   \
    "leave it out if it "                                                                          \
    "is over",                                                                                     \
    "待ち合わせ先のジョブ {0} は存在しないか、終了から {1} "                                       \
    "日を過ぎています。終了済みなら指定を外してください")                                          \
  X(retries_invalid, (number), "a job may be tried again at most {0} times",                       \
    "再試行の回数は {0} 回までです")                                                               \
  X(labels_invalid, (number, number, number),                                                      \
    "a job has at most {0} labels, each with a different key of 1 to {1} bytes and a value of up " \
    "to {2} bytes, "                                                                               \
    "in UTF-8 without control characters",                                                         \
    "ラベルは {0} 個までで、キーは重複しない 1～{1} バイト、値は {2} バイト以下の UTF-8"           \
    "（制御文字を除く）にしてください")                                                            \
  X(gpus_must_be_positive, (none), "a member needs at least 0.001 GPU",                            \
    "1 メンバーあたりの GPU は 0.001 以上にしてください")                                          \
  X(gpus_not_whole, (gpus), "{0} GPUs: ask for a fraction below 1 or for whole GPUs",              \
    "{0} GPU は指定できません。1 未満の端数か整数にしてください")                                  \
  X(time_limit_invalid, (span), "a time limit is more than zero and at most {0}",                  \
    "制限時間は 0 より長く {0} 以下にしてください")                                                \
  X(request_too_large, (gpus), "one job can ask for at most {0} GPUs",                             \
    "1 つのジョブで使えるのは {0} GPU までです")                                                   \
  X(no_pool_fits, (gpus, number),                                                                  \
    "no pool that this job permits could ever run it: it asks for {0} GPUs in {1} members; see "   \
    "`tenbin fleet` for models, regions and node sizes, and that prices are set",                  \
    "このジョブ（{0} GPU、{1} メンバー）を実行できるプールがありません。`tenbin fleet` "           \
    "で型番・地域・ノードの大きさと、価格が設定済みかを確認してください")                          \
  X(insufficient_credit, (credits, credits, instant),                                              \
    "needs {0} credits, the project has {1} free until {2}",                                       \
    "{0} クレジット必要ですが、プロジェクトの残りは {1}（期限 {2}）です")                          \
  X(no_credit, (credits),                                                                          \
    "needs {0} credits, the project has no credit that is valid now in a permitted region",        \
    "{0} クレジット必要ですが、許可された地域で今使えるクレジットがプロジェクトにありません")      \
  X(job_not_running, (number),                                                                     \
    "this attempt of the job is not running; the present attempt is {0}",                          \
    "そのジョブのこの試行は実行中ではありません（現在の試行は {0}）")                              \
  X(job_not_waiting, (none), "the job has started; only a job that waits can be held",             \
    "ジョブはすでに開始しています。保留できるのは待機中のジョブだけです")                          \
  X(job_already_stopping, (none), "the job is already being stopped",                              \
    "ジョブはすでに停止処理中です")                                                                \
  X(job_settled, (none), "the job is already over", "ジョブはすでに終了しています")                \
  X(node_not_up, (none), "the node is not in service", "ノードは稼働していません")                 \
  X(request_reused, (none), "this request id was used for something else; use a new one",          \
    "このリクエスト ID は別の内容で使用済みです。新しい ID を使ってください")                      \
  X(quarantined, (none),                                                                           \
    "this request stopped the service before and is refused; report it with its id",               \
    "このリクエストは以前サービスを停止させたため拒否されます。ID を添えて報告してください")       \
  X(name_in_use, (none), "this name is in use; choose another name",                               \
    "この名前は使用されています。別の名前を選んでください")                                        \
  X(role_invalid, (none),                                                                          \
    "the roles of a project are lead, member and auditor, those of a programme officer and "       \
    "auditor",                                                                                     \
    "プロジェクトの役割は lead、member、auditor、プログラムの役割は officer、auditor です")        \
  X(scope_invalid, (none), "name either a project or a programme",                                 \
    "プロジェクトかプログラムのどちらか一方を指定してください")                                    \
  X(last_officer, (none), "this is the last officer; make another person officer first",           \
    "最後の officer です。先に別の利用者を officer にしてください")                                \
  X(person_disabled, (none), "this person is disabled; enable the person first",                   \
    "この利用者は停止されています。先に再開してください")                                          \
  X(commitment_in_use, (credits, credits),                                                         \
    "a commitment of {0} credits is too small: {1} are in lots",                                   \
    "約束額 {0} クレジットでは足りません。すでに {1} がロットに入っています")                      \
  X(lot_in_use, (credits, credits),                                                                \
    "a lot of {0} credits is too small: {1} are allocated; lower the allocations first",           \
    "ロットの額 {0} クレジットでは足りません。すでに {1} "                                         \
    "が配分済みです。先に配分を減らしてください")                                                  \
  X(allocation_in_use, (credits, credits),                                                         \
    "an allocation of {0} credits is too small: {1} are held, spent or expired",                   \
    "配分額 {0} クレジットでは足りません。{1} が確保済み・使用済み・失効済みです")                 \
  X(expiry_past, (instant), "an expiry can be moved to no earlier than now, {0}",                  \
    "期限を現在（{0}）より前にすることはできません")                                               \
  X(token_read_only, (none), "this token may only look; use one that is not read-only",            \
    "このトークンは閲覧専用です。閲覧専用でないトークンを使ってください")                          \
  X(targets_invalid, (number, number),                                                             \
    "at most {0} targets, each with a weight of 1 to {1} and a shape that one node could have",    \
    "ターゲットは {0} 個までで、それぞれ重み 1～{1} と、1 ノードに収まる形が必要です")

#define TENBIN_REASON_NAME(name, figures, english, japanese) name,
enum class Reason : std::uint16_t { TENBIN_REASONS(TENBIN_REASON_NAME) };
#undef TENBIN_REASON_NAME

struct ReasonText {
  std::string_view name, english, japanese;
  std::array<Figure, 4> figures;
};

namespace detail {
template <class... F>
constexpr std::array<Figure, 4> figure_list(F... f) {
  return {f...};
}
}  // namespace detail

/// The table of all reasons, in the order of the enum.
constexpr auto reason_texts() {
  using enum Figure;
#define TENBIN_REASON_TEXT(name, figures, english, japanese) \
  ReasonText{#name, english, japanese, detail::figure_list figures},
  return std::to_array<ReasonText>({TENBIN_REASONS(TENBIN_REASON_TEXT)});
#undef TENBIN_REASON_TEXT
}

inline constexpr auto reason_table = reason_texts();

constexpr const ReasonText& text_of(Reason reason) {
  return reason_table[static_cast<std::size_t>(reason)];
}
constexpr auto enum_names(Reason) {
  std::array<std::string_view, reason_table.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = reason_table[i].name;
  return names;
}

/// A "no" with its figures, in the units that the reason's table names.
struct Refusal {
  Reason reason = Reason::not_permitted;
  std::array<std::int64_t, 4> figures{};

  constexpr bool operator==(const Refusal&) const = default;
};

constexpr Refusal refuse(Reason reason, std::int64_t a = 0, std::int64_t b = 0, std::int64_t c = 0,
                         std::int64_t d = 0) {
  return {reason, {a, b, c, d}};
}

}  // namespace tenbin

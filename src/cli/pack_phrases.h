#pragma once

// What `pack` says, in both languages on the same line; part of phrases.h.

// clang-format off
#define TENBIN_PACK_PHRASES(X) \
  X(pack_about, "Fill a fleet with jobs that only arrive: how much of it a placement gives away, and how much becomes useless", "到着するだけのジョブでノードを埋め、配置方針ごとの割当率と断片化率を調べます") \
  X(opt_pack_policy, "where jobs are placed: random, dotprod, clustering, packing, bestfit, fgd, or a placement as policies name it (default: fgd)", "配置方針: random、dotprod、clustering、packing、bestfit、fgd、または方針の placement の名前（既定: fgd）") \
  X(opt_pack_seed, "a number that decides in which order jobs arrive (default: 42)", "ジョブの到着順を決める数（既定: 42）") \
  X(pack_no_policy, "no placement is called '{0}'", "「{0}」という配置方針はありません") \
  X(hint_pack_policy, "one of: {0}", "次のいずれかを指定してください: {0}") \
  X(pack_bad_seed, "--seed: '{0}' is not a whole number from 0 to 2^64 - 1", "--seed: 「{0}」は 0 から 2^64 - 1 までの整数ではありません") \
  X(pack_unreadable_hint, "NODES begins with sn,cpu_milli,memory_mib,gpu,model; PODS with name,cpu_milli,memory_mib,num_gpu,gpu_milli", "NODES の先頭行は sn,cpu_milli,memory_mib,gpu,model、PODS の先頭行は name,cpu_milli,memory_mib,num_gpu,gpu_milli です") \
  X(pack_nodes_left_out, "left out: {0} nodes without a GPU", "GPU のない {0} ノードを除きました") \
  X(pack_summary, "{0} nodes, {1} GPUs; {2} jobs arrived, {3} placed; {4} kinds of jobs to be ready for", "{0} ノード、{1} GPU。到着 {2} ジョブ、配置 {3} ジョブ。備える対象は {4} 種類") \
  X(col_seed, "SEED", "種") \
  X(col_cpu_jobs, "CPU JOBS", "CPU ジョブ") \
  X(field_cpu_jobs, "whether jobs with CPUs and no GPU are taken, at no cost", "GPU を使わず CPU だけのジョブを無償で受け付けるか") \
  X(field_seed, "what random placement draws by", "無作為配置の乱数の種") \
  X(col_pack_arrived, "ARRIVED %", "到着 %") \
  X(col_pack_allocated, "ALLOCATED %", "割当 %") \
  X(col_pack_fragmented, "FRAGMENTED %", "断片化 %")
// clang-format on

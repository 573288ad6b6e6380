#!/bin/sh
# Towards a default model from FER+ alone, for a machine with a GPU: a teacher from every seed, a
# student of all of them from every seed, and the last student in eight bits. Flags after the two
# folders go to every training. OUT has no blanks in its name.
# Usage: sh recipes/default.sh DATA_DIR OUT [--epochs N ...]
set -eu
recipes=$(dirname "$0")
data=$1
out=$2
shift 2
seeds=${SEEDS:-1 2 3}

teachers=""
for seed in $seeds; do
    mien train --data-dir "$data" --config "$recipes/teacher.toml" --seed $seed \
        --model-path "$out/teacher-$seed.onnx" "$@"
    teachers="$teachers --teacher $out/teacher-$seed.ckpt"
done
for seed in $seeds; do
    # shellcheck disable=SC2086 # a list of flags
    mien train --data-dir "$data" --config "$recipes/student.toml" --seed $seed $teachers \
        --model-path "$out/student-$seed.onnx" "$@"
done
mien quantize "$out/student-$seed.onnx" --data-dir "$data" --model-path "$out/student-int8.onnx"

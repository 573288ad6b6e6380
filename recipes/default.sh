#!/bin/sh
# Towards a default model, for a machine with a GPU: a teacher from every seed, a student of all of
# them from every seed, and the last student in eight bits. Where WEIGHTS names the weights of
# MobileFaceNet, teachers begin there; else they are large networks that know FER+ alone. Flags
# after the two folders go to every training. Names have no blanks.
# Usage: [SEEDS="1 2 3"] [WEIGHTS=mobilefacenet.pt] sh recipes/default.sh DATA_DIR OUT [--epochs N ...]
set -eu
recipes=$(dirname "$0")
data=$1
out=$2
shift 2
seeds=${SEEDS:-1 2 3}
teacher="--config $recipes/teacher.toml"
if [ -n "${WEIGHTS:-}" ]; then
    teacher="--config $recipes/mobile_teacher.toml --initial-weights $WEIGHTS"
fi

# shellcheck disable=SC2086 # lists of flags
{
    teachers=""
    for seed in $seeds; do
        mien train --data-dir "$data" $teacher --seed $seed \
            --model-path "$out/teacher-$seed.onnx" "$@"
        teachers="$teachers --teacher $out/teacher-$seed.ckpt"
    done
    for seed in $seeds; do
        mien train --data-dir "$data" --config "$recipes/student.toml" --seed $seed $teachers \
            --model-path "$out/student-$seed.onnx" "$@"
    done
}
mien quantize "$out/student-$seed.onnx" --data-dir "$data" --model-path "$out/student-int8.onnx"

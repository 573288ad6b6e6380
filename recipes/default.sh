#!/bin/sh
# Towards a default model, for a machine with a GPU: a teacher from every seed, a student of all of
# them from every seed, and the last student in eight bits. Where WEIGHTS names what
# recipes/mobilenet_weights.py has written, teachers begin there; else they are large networks that
# know FER+ alone. Flags after the two folders go to every training. Names have no blanks.
# What was interrupted goes on by the same command.
# Usage: [SEEDS="1 2 3"] [WEIGHTS=mobilenet.pt] sh recipes/default.sh DATA_DIR OUT [--epochs N ...]
set -eu
recipes=$(dirname "$0")
usage='usage: [SEEDS="1 2 3"] [WEIGHTS=mobilenet.pt] sh recipes/default.sh DATA_DIR OUT [FLAG ...]'
data=${1:?$usage}
out=${2:?$usage}
shift 2
seeds=${SEEDS:-1 2 3}
teacher="--config $recipes/teacher.toml"
if [ -n "${WEIGHTS:-}" ]; then
    teacher="--config $recipes/people_teacher.toml --initial-weights $WEIGHTS"
fi

# The flag for a training that has left a checkpoint.
again() {
    if [ -e "$out/$1.ckpt" ]; then echo "--resume"; fi
}

# shellcheck disable=SC2046,SC2086 # lists of flags
{
    teachers=""
    for seed in $seeds; do
        mien train --data-dir "$data" $teacher --seed $seed \
            --model-path "$out/teacher-$seed.onnx" $(again teacher-$seed) "$@"
        teachers="$teachers --teacher $out/teacher-$seed.ckpt"
    done
    for seed in $seeds; do
        mien train --data-dir "$data" --config "$recipes/pupil.toml" --seed $seed $teachers \
            --model-path "$out/student-$seed.onnx" $(again student-$seed) "$@"
    done
}
# So much variance was kept for the packaged model, to come below 3 MB.
mien quantize "$out/student-$seed.onnx" --data-dir "$data" --kept-variance 0.987 \
    --model-path "$out/student-int8.onnx"

from st3d.workflow.submissions import Ended

COUNTS = {"student": 5, "maps": 5}
SAID = "SLURM-job '12' failed, SLURM status is: '{}'. Detailed failure reason unavailable"


def ended(said, **changes):
    given = {
        "number": "12",
        "counts": COUNTS,
        "done": 7,
        "minutes": 60,
        "megabytes": 4000,
        "log": "12.log",
        "last": True,
    }
    return str(Ended(**{**given, "said": said, **changes}))


def test_a_node_that_failed_is_tried_again_and_what_was_done_is_kept():
    expected = "cluster job 12 (maps 5, student 5) ended as NODE_FAIL; 7 of 10 jobs are done and kept; trying again"
    assert ended(SAID.format("NODE_FAIL"), last=False) == expected


def test_a_limit_that_was_too_low_is_named_with_its_remedy():
    assert ended(SAID.format("TIMEOUT")) == (
        "cluster job 12 (maps 5, student 5) ended as TIMEOUT at its limit of 60 minutes;"
        " 7 of 10 jobs are done and kept; raise runtime of its rules in the profile,"
        " then the same command goes on; log: 12.log"
    )
    assert "OUT_OF_MEMORY at its limit of 4000 MB" in ended(SAID.format("OUT_OF_MEMORY"))
    assert "raise mem_mb of its rules" in ended(SAID.format("OUT_OF_MEMORY"))


def test_a_submission_that_the_cluster_refuses_is_one_line_without_the_command():
    said = (
        "SLURM sbatch failed. The error message was 'sbatch: error: Invalid generic resource\n (gres) specification'.\n"
    )
    said += "    sbatch call:\n        sbatch --parsable"
    assert ended(said, number="", done=0) == (
        "the cluster refused 10 jobs (maps 5, student 5): sbatch: error: Invalid generic resource (gres) specification;"
        " without GPUs, set runtime: {device: cpu} in the config"
    )


def test_an_end_without_a_word_is_a_failure():
    assert "ended as FAILED; 7 of 10 jobs are done and kept; the same command goes on from there; log: 12.log" in ended(
        ""
    )


def test_memory_that_ran_out_is_seen_in_the_log_where_slurm_calls_it_a_failure(tmp_path):
    log = tmp_path / "12.log"
    log.write_text("slurmstepd: error: Step 12.0 exceeded memory limit (300 > 150), being killed\n")
    assert "OUT_OF_MEMORY at its limit of 4000 MB" in ended(SAID.format("FAILED"), log=str(log))
    log.write_text("ValueError: 3 defects\n")
    assert "ended as FAILED;" in ended(SAID.format("FAILED"), log=str(log))

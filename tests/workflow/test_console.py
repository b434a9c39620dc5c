"""What is shown of a run, from records such as Snakemake writes."""

import io
import logging

import pytest

from st3d.workflow.console import MOST_WARNINGS, use_console

JOBS = 1200


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(params=[io.StringIO])
def shown(request):
    """A logger as Snakemake sets it up, with the console in it, and what it prints."""
    logger = logging.Logger("snakemake")
    stream = request.param()
    plain = logging.StreamHandler(stream)
    plain.name = "DefaultStreamHandler"
    logger.addHandler(plain)
    use_console(logger, lambda: ["results/report/index.html"])
    return logger, stream


def start(logger, **counts):
    logger.info("Workflow has started!", extra={"event": "workflow_started"})
    logger.info("Building DAG of jobs...")
    logger.info("Provided cores: 2", extra={"event": "resources_info", "cores": 2})
    logger.info("a table", extra={"event": "run_info", "stats": {**counts, "total": sum(counts.values())}})


def begin(logger, number, rule="student", **wildcards):
    logger.info("job", extra={"event": "job_info", "jobid": number, "rule_name": rule, "wildcards": wildcards})


def end(logger, number, done, total):
    logger.info("finished", extra={"event": "job_finished", "job_id": number})
    logger.info("progress", extra={"event": "progress", "done": done, "total": total})


def fail(logger, number, log, rule="student"):
    extra = {"event": "error", "exception": "RuleException"}
    logger.error("RuleException:\nCalledProcessError in file x, line 3:\nreturned non-zero exit status 1.", extra=extra)
    extra = {"event": "job_error", "jobid": number, "rule_name": rule, "log": [str(log)], "conda_env": None}
    logger.error("Error", extra=extra | {"shellcmd": f"python -m st3d {rule} --number {number} 2> {log}"})


def finish(logger):
    logger.info("Complete log(s): /runs/1.log")
    logger.info("Elapsed time: 0:01:00")


def test_1200_jobs_take_at_most_60_lines_progress_included(shown):
    logger, stream = shown
    start(logger, student=JOBS // 2, maps=JOBS // 2)
    for number in range(JOBS):
        begin(logger, number, ("student", "maps")[number % 2], category="bagel")
        end(logger, number, number + 1, JOBS)
    finish(logger)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "1200 jobs on 2 cores: maps 600, student 600"
    assert sum(" of 1200 jobs" in line for line in lines) == 19
    assert len(lines) <= 60
    assert lines[-3:] == [
        "1200 jobs done in 0:00",
        "every job and its command: /runs/1.log",
        "open results/report/index.html",
    ]


def test_many_failures_of_one_cause_are_shown_once_and_counted(shown, tmp_path):
    logger, stream = shown
    start(logger, student=JOBS)
    for number in range(JOBS):
        log = tmp_path / f"{number}.log"
        log.write_text(f"12:00:00 epoch 1\nst3d student: results/{number}.pt: not written, no space left on device\n")
        begin(logger, number, variant="base")
        fail(logger, number, log)
    finish(logger)
    text = stream.getvalue()
    assert text.count("no space left on device") == 1
    assert "FAILED student (variant base)\n    12:00:00 epoch 1\n    st3d student: results/0.pt" in text
    assert "-m st3d student --number 0\n" in text  # without the log, so that it says on the terminal what is wrong
    assert "failed: student 1200; 0 of 1200 jobs done" in text
    assert "\nopen" not in text and "CalledProcessError" not in text
    assert len(text.splitlines()) <= 60


def test_failures_of_many_causes_take_at_most_60_lines_beside_all_progress(shown, tmp_path):
    logger, stream = shown
    start(logger, student=JOBS)
    words = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for number in range(JOBS):
        begin(logger, number)
        if number < len(words):
            (tmp_path / f"{number}.log").write_text("one\ntwo\nthree\nfour\n" + words[number])
            fail(logger, number, tmp_path / f"{number}.log")
        else:
            end(logger, number, number + 1 - len(words), JOBS)
    for number in range(MOST_WARNINGS + 9):
        logger.warning(f"warning {number}")
    finish(logger)
    assert len(stream.getvalue().splitlines()) <= 60
    assert "failed: student 26; 1174 of 1200 jobs done" in stream.getvalue()


def test_a_job_that_succeeds_at_its_second_attempt_has_not_failed(shown, tmp_path):
    logger, stream = shown
    start(logger, student=1)
    begin(logger, 0)
    fail(logger, 0, tmp_path / "absent.log")
    logger.info("Trying to restart job 0.")
    begin(logger, 0)
    end(logger, 0, 1, 1)
    finish(logger)
    assert "which says nothing" in stream.getvalue()
    assert stream.getvalue().splitlines()[-1] == "open results/report/index.html"


@pytest.mark.parametrize("end", ["returned non-zero exit status 137.", "died with <Signals.SIGKILL: 9>."])
def test_a_job_that_was_killed_is_said_to_be(shown, end):
    logger, stream = shown
    start(logger, student=2)
    for _ in range(2):
        text = f"RuleException:\nCalledProcessError in file x, line 3:\nCommand 'python -m st3d' {end}"
        logger.error(text, extra={"event": "error"})
    (line,) = (line for line in stream.getvalue().splitlines() if "killed" in line)
    assert line == f"a job was killed, maybe for its memory: {end.removeprefix('returned non-zero ').rstrip('.>')}"


def test_errors_of_snakemake_are_shown_whole_and_warnings_once(shown):
    logger, stream = shown
    start(logger, student=2)
    for _ in range(3):
        logger.warning("the disk is slow")
    logger.error("MissingOutputException in rule student:\nno file", extra={"event": "error"})
    finish(logger)
    assert stream.getvalue().count("warning: the disk is slow") == 1
    assert "MissingOutputException in rule student:\nno file\n" in stream.getvalue()
    assert "failed: 0 of 2 jobs done" in stream.getvalue() and "open" not in stream.getvalue()


def test_what_is_no_run_is_printed_by_snakemake_itself(shown):
    logger, stream = shown
    logger.info("Congratulations, your workflow is in a good condition!")
    assert stream.getvalue() == "Congratulations, your workflow is in a good condition!\n"


@pytest.mark.parametrize("shown", [Terminal], indirect=True)
def test_a_terminal_has_a_bar_and_failures_above_it(shown, tmp_path):
    logger, stream = shown
    (tmp_path / "0.log").write_text("st3d student: a fault")
    start(logger, student=3)
    begin(logger, 0)
    begin(logger, 1)
    fail(logger, 0, tmp_path / "0.log")
    end(logger, 1, 1, 3)
    finish(logger)
    for handler in logger.handlers:
        handler.close()
    assert "━" in stream.getvalue() and "0/3" in stream.getvalue()
    assert "FAILED student" in stream.getvalue() and "st3d student: a fault" in stream.getvalue()
    assert "failed: student 1; 1 of 3 jobs done" in stream.getvalue().splitlines()[-2]


def test_a_logger_that_the_user_chose_stays():
    logger = logging.Logger("snakemake")
    own = logging.StreamHandler(io.StringIO())
    logger.addHandler(own)
    use_console(logger, list)
    assert logger.handlers == [own]


def test_what_slurm_says_of_accounts_is_no_warning(shown):
    logger, stream = shown
    start(logger, student=2)
    for text in (
        "No SLURM account given, trying to guess.",
        "Unable to guess SLURM account. Trying to proceed without.",
    ):
        logger.warning(text)
    logger.warning("the disk is nearly full")
    assert [line for line in stream.getvalue().splitlines() if "warning" in line] == [
        "warning: the disk is nearly full"
    ]


def test_a_log_file_that_cannot_be_written_is_one_line(capsys, tmp_path):
    logger = logging.Logger("snakemake")
    handler = logging.FileHandler("/dev/full")
    handler.name = "DefaultLogFileHandler"
    logger.addHandler(handler)
    use_console(logger, lambda: [])
    for number in range(3):
        logger.error("line %d", number)
    expected = "Snakemake's log file is not complete: [errno 28] no space left on device\n"
    assert capsys.readouterr().err == expected
    handler.stream = None  # a full disk, at its end too

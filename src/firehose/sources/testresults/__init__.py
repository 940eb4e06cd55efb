"""Test results of jobs: subunit, JUnit XML, CTRF."""

from firehose.sources.testresults.testresults import SOURCE

__all__ = ["SOURCE"]

"""BurstGPT: the CSV of two million requests to ChatGPT and GPT-4 at a campus (github.com/HPMLL/BurstGPT).

`Timestamp` (seconds), in the third file also `Session ID,Elapsed time`, then `Model,Request tokens,Response tokens,
Total tokens,Log Type`. A request that failed has no response tokens. What is not a time or a count is read past.
"""

from traces.formats.base import Fields
from traces.formats.csv_format import CsvFormat

BURSTGPT = CsvFormat(
    "burstgpt",
    Fields("Timestamp", "Request tokens", "Response tokens", "Total tokens"),
)

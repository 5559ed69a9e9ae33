"""Azure: the CSV of the Azure LLM inference traces of 2023 and 2024 (github.com/Azure/AzurePublicDataset).

`TIMESTAMP,ContextTokens,GeneratedTokens`. Times are dates with up to seven decimals (2023) or with six and
`+00:00` (2024, none when they are zero); plain numbers are taken too, as seconds.
"""

from traces.formats.base import Fields
from traces.formats.csv_format import CsvFormat

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
AZURE = CsvFormat("azure", Fields(*COLUMNS), exact=True)

import sys
sys.path.insert(0, "/tmp/w/scr")
import fake
fake.install()
from benchmarks.contenders.asyncio import Asyncio
contender = Asyncio

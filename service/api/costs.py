"""`/v1/costs`: what reading cost this month, what it will cost, and what it may."""

from typing import Any

from fastapi import APIRouter

from service.api.context import Admin, Ctx
from service.ledger import Caps, Ledger, Month, exceeded

router = APIRouter(prefix="/v1", tags=["costs"])


@router.get("/costs")
async def get_costs(ctx: Ctx, _: Admin) -> dict[str, Any]:
    """Return the month's costs in dollars, by source and brand, a forecast of its bill, and which caps will stop it."""
    ledger, now = Ledger(ctx.store), await ctx.clock.now()
    caps, spent = await ledger.caps(), await ledger.spent(now)
    return {
        "month": Month.of(now).name,
        "spent": round(sum(s.dollars for s in spent), 6),
        "forecast": round(sum(s.forecast for s in spent), 2),
        "caps": caps.model_dump(),
        "warnings": list(exceeded(caps, spent)),
        "items": [
            {"source": s.source, "brand": s.brand, "spent": round(s.dollars, 6), "forecast": round(s.forecast, 2)}
            for s in spent
        ],
    }


@router.put("/costs/caps")
async def put_caps(caps: Caps, ctx: Ctx, _: Admin) -> Caps:
    """Say what may be spent a month from now on; what was spent already counts."""
    await Ledger(ctx.store).set_caps(caps)
    return caps

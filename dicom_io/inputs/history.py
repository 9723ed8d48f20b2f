"""What is known of a study from elsewhere: its prior and its orders."""

from dataclasses import dataclass

from dicom_io.evidence import Rejection
from dicom_io.inputs.orders import Order
from dicom_io.inputs.prior import Prior


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What other systems know of a study and of its patient's past.

    `prior` is None where none is used; `rejected_priors` are the studies that were
    not, each with its reason, the best first. `orders` are in the order of trust.
    `notes` says how the search went, the decision first.
    """

    prior: Prior | None
    orders: tuple[Order, ...] = ()
    rejected_priors: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()

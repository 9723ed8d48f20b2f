"""What the forms that set a password hold."""

from pydantic import BaseModel, Field, SecretStr

from gateway.errors import AccountRefused


class NewPassword(BaseModel):
    """A password, typed twice; `name` counts for a first administrator alone."""

    password: SecretStr = Field(max_length=1024)
    again: SecretStr = Field(max_length=1024)
    name: str = Field(default="", max_length=64)

    def agreed(self) -> str:
        """Return the password; raises AccountRefused where the two are not the same."""
        if self.password != self.again:
            raise AccountRefused("the two passwords are not the same")
        return self.password.get_secret_value()


class ChangedPassword(NewPassword):
    """A new password, by whoever knows the old one."""

    old: SecretStr = Field(max_length=1024)

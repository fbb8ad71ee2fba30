using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Tests.Infrastructure.Search;

public sealed class PageUrlTests
{
    [Fact]
    public void An_anchor_is_encoded_in_an_address()
    {
        Assert.Equal("/docs/a#%D9%86%D9%88%DA%88", PageUrl.WithAnchor("/docs/a", "نوڈ"));
        Assert.Equal("/docs/a", PageUrl.WithAnchor("/docs/a", null));
    }
}

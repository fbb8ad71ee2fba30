using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Tests.Infrastructure.Ai;

public sealed class TokenEstimateTests
{
    [Theory]
    [InlineData("", 0)]
    [InlineData("a", 1)]
    [InlineData("abcd", 1)]
    [InlineData("abcde", 2)]
    [InlineData("روبوٹ", 4)]
    [InlineData("机器人", 2)]
    public void Four_Latin_characters_or_one_and_a_half_others_are_a_token(string text, int tokens) =>
        Assert.Equal(tokens, TokenEstimate.Of(text));

    [Fact]
    public void A_prefix_fits_and_is_never_empty_nor_half_a_character()
    {
        Assert.Equal(8, TokenEstimate.PrefixLength("abcdefghij", 2));
        Assert.Equal(3, TokenEstimate.PrefixLength("abc", 2));
        Assert.Equal(2, TokenEstimate.PrefixLength("🤖🤖", 0));
        Assert.Equal(2, TokenEstimate.PrefixLength("🤖🤖", 2));
    }
}

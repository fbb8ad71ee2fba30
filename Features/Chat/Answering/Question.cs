namespace ChatBackend.Features.Chat.Answering;

/// <summary>What a reader asked, as the turn keeps it: all that any process needs to answer it.</summary>
/// <param name="Message">The question, trimmed.</param>
/// <param name="SelectedText">The text that the reader selected on the page.</param>
/// <param name="PageUrl">The page the reader is on.</param>
internal sealed record Question(string Message, string? SelectedText, string? PageUrl);
